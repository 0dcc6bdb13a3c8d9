"""Model directories by how their weights are stored: rows of `foreign_rows`."""

import copy
import json

import foreign_files as files
import numpy as np
from foreign_reference import IDS, INPUTS, LENGTH, SIZES, TEXTS, TOKENS, reference
from foreign_rows import LIVE, Expected, row

# === transformers, as it is installed ===


def _live_tokenizer(path):
    """Written by transformers itself; its ids of `TEXTS`."""
    import transformers

    files.write_vocabulary(path, None)
    made = transformers.BertTokenizer.from_pretrained(path)
    for file in path.glob("*.txt"):
        file.unlink()
    made.save_pretrained(path)
    return made(list(TEXTS), add_special_tokens=False)["input_ids"]


@row("transformers 5: BertForSequenceClassification", *LIVE)
def classifier(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    made.torch.save_pretrained(path)
    return Expected(made.outputs(), "text_classifier", _live_tokenizer(path))


@row("transformers 5: BertForMaskedLM, three files", *LIVE)
def masked_lm(path):
    made = reference("BertForMaskedLM")
    made.torch.save_pretrained(path, max_shard_size="4KB")
    return Expected(made.outputs(), "pretrainer", _live_tokenizer(path))


@row("transformers 5: BertModel in bfloat16, no tokenizer", *LIVE)
def bfloat16(path):
    import torch

    made = reference()
    rounded = copy.deepcopy(made.torch).to(torch.bfloat16)
    rounded.save_pretrained(path)
    return Expected(made.outputs_of(rounded.float()), ids=None)


# === transformers, older ===


@row("transformers 4: safetensors, tokenizer.json and vocab.txt")
def transformers_4(path):
    made = reference("BertForTokenClassification", num_labels=5)
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config(torch_dtype="float32"))
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
    files.write_vocabulary(path, settings | {"never_split": None})
    return Expected(made.outputs(), "token_classifier")


@row("transformers 4: two pytorch_model.bin, float16", "torch")
def transformers_4_shards(path):
    made = reference("BertForQuestionAnswering", is_half=True)
    arrays = made.tensors()
    arrays["bert.embeddings.position_ids"] = np.arange(LENGTH)[None]
    files.write_shards(path, arrays, "pytorch_model.bin", files.write_torch)
    files.write_json(path / "config.json", made.config(torch_dtype="float16"))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(made.outputs(), "question_answerer")


@row("transformers 3: pytorch_model.bin, vocab.txt, no do_lower_case", "torch")
def transformers_3(path):
    made = reference("BertForPreTraining")
    files.write_torch(path / "pytorch_model.bin", made.tensors())
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"model_max_length": 512})
    return Expected(made.outputs(), "pretrainer")


@row("transformers 2: no architectures, no model_type, vocab.txt alone", "torch")
def transformers_2(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    files.write_torch(
        path / "pytorch_model.bin",
        made.tensors(),
        _use_new_zipfile_serialization=False,
    )
    fields = {"architectures": None, "model_type": None, "id2label": None}
    files.write_json(path / "config.json", made.config(num_labels=3, **fields))
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "text_classifier")


@row("pytorch-pretrained-bert: bert_config.json, LayerNorm.gamma", "torch")
def of_2018(path):
    made = reference("BertForPreTraining")
    arrays = files.of_2018(made.tensors())
    files.write_torch(
        path / "pytorch_model.bin", arrays, _use_new_zipfile_serialization=False
    )
    fields = {"architectures": None, "model_type": None, "layer_norm_eps": None}
    files.write_json(path / "bert_config.json", made.config(**fields))
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "pretrainer")


@row("A vocabulary filled up: six rows behind vocab.txt's last line")
def filled_up(path):
    made = reference("BertForPreTraining")
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True}, TOKENS[:-6])
    ids = [[i if i < len(TOKENS) - 6 else 1 for i in row] for row in IDS[:2]]
    return Expected(made.outputs(), "pretrainer", [*ids, [1, 1, 1]])


# === TensorFlow ===


@row("Google TF1: pre-trained, with the optimizer's slots")
def google(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = reference("BertForPreTraining", hidden_act="gelu_new")
    variables = files.of_google(made.tensors())
    slots = {f"{name}/adam_m": array for name, array in variables.items()}
    slots["global_step"] = np.array(7, "int64")
    path.mkdir()
    write_tensors(variables | slots, path / "bert_model.ckpt")
    files.write_json(path / "bert_config.json", SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "pretrainer")


@row("KerasHub preset")
def kerashub(path):
    made = _kerashub_backbone()
    made.save_to_preset(path)
    _kerashub_tokenizer().save_to_preset(path)
    return Expected(_kerashub_outputs(made))


@row("KerasHub preset of a task of somebody's own")
def kerashub_own(path):
    import keras_hub

    made = _kerashub_backbone()
    task = keras_hub.models.BertTextClassifier(made, num_classes=3)
    task.save_to_preset(path)
    _kerashub_tokenizer().save_to_preset(path)
    stored = json.loads((path / "task.json").read_text("utf-8"))
    files.write_json(path / "task.json", stored | {"registered_name": "mine>Ranker"})
    left_out = ("task.weights.h5/layers/dense/vars/0",)
    return Expected(_kerashub_outputs(made), "", left_out=left_out)


def _kerashub_backbone():
    import keras
    import keras_hub

    keras.utils.set_random_seed(1)
    made = keras_hub.models.BertBackbone(
        len(TOKENS), 2, 2, 16, 24, max_sequence_length=LENGTH
    )
    for weight in made.weights:
        weight.assign(keras.random.normal(weight.shape) * 0.4)
    return made


def _kerashub_tokenizer():
    import keras_hub

    return keras_hub.tokenizers.BertTokenizer(TOKENS, lowercase=True)


def _kerashub_outputs(made):
    found = made(INPUTS)
    return {n: np.asarray(found[n]) for n in ("sequence_output", "pooled_output")}


@row("Google TF1: a classifier with loss scaling, saved in a scope")
def google_classifier(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = reference(
        "BertForSequenceClassification", num_labels=3, hidden_act="gelu_new"
    )
    variables = files.of_google(made.tensors())
    variables = {f"model/{name}": array for name, array in variables.items()}
    variables |= {"current_loss_scale": np.array(1024, "float32")}
    path.mkdir()
    write_tensors(variables, path / "model.ckpt-80")
    files.write_json(path / "bert_config.json", SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "text_classifier", left_out=("current_loss_",))


@row("Google TF1: a tagger with a CRF, its slots among the variables")
def google_crf(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = reference(hidden_act="gelu_new")
    variables = files.of_google(made.tensors("bert."))
    own = {"crf_loss/transitions": (5, 5), "project/logits/W": (16, 5)}
    variables |= {name: np.ones(shape, "float32") for name, shape in own.items()}
    slots = {f"{name}/adam_v": array for name, array in variables.items()}
    path.mkdir()
    write_tensors(variables | slots, path / "model.ckpt-80")
    files.write_json(path / "bert_config.json", SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "", left_out=tuple(own))


@row("tf_model.h5: TFBertForSequenceClassification")
def h5_classifier(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    return _h5(path, made, "tf_bert_for_sequence_classification", "text_classifier")


@row("tf_model.h5: TFBertForPreTraining")
def h5_pretrainer(path):
    made = reference("BertForPreTraining")
    return _h5(path, made, "tf_bert_for_pre_training_2", "pretrainer")


@row("tf_model.h5: TFBertForQuestionAnswering, two files")
def h5_shards(path):
    made = reference("BertForQuestionAnswering")
    weights = files.of_transformers_tf(made.tensors())
    scope = "tf_bert_for_question_answering/"
    files.write_shards(path, weights, "tf_model.h5", files.write_h5_shard, scope)
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(made.outputs(), "question_answerer")


@row("tf_model.h5: a Keras model of somebody's own on TFBertModel")
def h5_own(path):
    made = reference()
    weights = files.of_transformers_tf(made.tensors("bert."))
    weights = {f"tf_bert_model/{name}": array for name, array in weights.items()}
    weights["intent/kernel:0"] = np.ones((16, 4), "float32")
    path.mkdir()
    files.write_h5(path / "tf_model.h5", weights, "joint_bert")
    fields = {"architectures": None}
    files.write_json(path / "config.json", made.config(**fields))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(made.outputs(), "", left_out=("joint_bert.intent.weight",))


def _h5(path, made, name, head):
    path.mkdir()
    weights = files.of_transformers_tf(made.tensors())
    files.write_h5(path / "tf_model.h5", weights, name)
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(made.outputs(), head)


# === sentence-transformers ===


@row("sentence-transformers: [CLS], a projection, the length 1")
def sentence_transformers(path):
    made = reference()
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True, "model_max_length": 512})
    files.write_sentence_modules(path, ("Transformer", "Pooling", "Dense", "Normalize"))
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    files.write_json(path / "1_Pooling/config.json", pooling)
    own = _own(linear__weight=(8, 16), linear__bias=(8,))
    settings = {"in_features": 16, "out_features": 8, "bias": True}
    settings["activation_function"] = "torch.nn.modules.activation.Tanh"
    files.write_json(path / "2_Dense/config.json", settings)
    files.write_safetensors(path / "2_Dense/model.safetensors", own)
    first = np.stack([states[0] for states in made.states()])
    vectors = np.tanh(first @ own["linear.weight"].T + own["linear.bias"])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Expected(made.outputs(), embeddings=vectors)


@row("sentence-transformers before 2: the BERT in 0_BERT/, the mean of 5 tokens")
def sentence_transformers_0(path):
    made = reference()
    files.write_sentence_modules(path, ("BERT", "Pooling"), "0_BERT")
    files.write_json(path / "config.json", {"__version__": "0.2.6"})
    inner = path / "0_BERT"
    files.write_safetensors(inner / "model.safetensors", made.tensors())
    files.write_json(inner / "config.json", made.config())
    settings = {"max_seq_length": 5, "do_lower_case": True}
    files.write_json(inner / "sentence_bert_config.json", settings)
    files.write_vocabulary(inner, {"do_lower_case": True})
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    files.write_json(path / "1_Pooling/config.json", pooling)
    means = np.stack([states.mean(axis=0) for states in made.states(5)])
    return Expected(made.outputs(), embeddings=means)


# === Heads and wrappers of somebody's own ===


def _written(path, made, arrays, **fields):
    """The directory, and the reference's outputs."""
    files.write_safetensors(path / "model.safetensors", arrays)
    files.write_json(path / "config.json", made.config(**fields))
    files.write_vocabulary(path, {"do_lower_case": True})
    return made.outputs()


def _own(**shapes):
    """Tensors of a head: `crf__transitions=(5, 5)` is "crf.transitions"."""
    rng = np.random.default_rng(0)
    return {
        name.replace("__", "."): rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


@row("JointBERT: two classifiers and a CRF")
def joint_bert(path):
    made = reference()
    own = _own(
        intent_classifier__linear__weight=(7, 16),
        slot_classifier__linear__weight=(9, 16),
        crf__transitions=(9, 9),
    )
    arrays = made.tensors("bert.") | own
    arrays["bert.embeddings.position_ids"] = np.arange(LENGTH)[None]
    outputs = _written(path, made, arrays, architectures=["JointBERT"])
    return Expected(outputs, "", left_out=tuple(own))


@row("BERT-CRF without a pooler, config.json without architectures")
def bert_crf(path):
    made = reference()
    own = _own(
        classifier__weight=(5, 16), classifier__bias=(5,), crf__transitions=(5, 5)
    )
    arrays = made.tensors("bert.") | own
    arrays = {n: a for n, a in arrays.items() if ".pooler." not in n}
    outputs = _written(path, made, arrays, architectures=None)
    del outputs["pooled_output"]
    return Expected(outputs, "", left_out=("crf.transitions",))


@row("DataParallel: a classifier, every name behind module.")
def data_parallel(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    outputs = _written(path, made, made.tensors("module."))
    return Expected(outputs, "text_classifier")


@row("torch.compile: a tagger, every name behind _orig_mod.")
def compiled(path):
    made = reference("BertForTokenClassification", num_labels=5)
    outputs = _written(path, made, made.tensors("_orig_mod."))
    return Expected(outputs, "token_classifier")


@row("DataParallel over torch.compile, under the config of its pre-training")
def wrapped_twice(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    fields = {"architectures": ["BertForMaskedLM"], "id2label": None}
    outputs = _written(path, made, made.tensors("module._orig_mod."), **fields)
    return Expected(outputs, "text_classifier")


@row("PyTorch Lightning: model., the loss and the optimizer's state", "torch")
def lightning(path):
    made = reference("BertForSequenceClassification", num_labels=3)
    arrays = made.tensors("model.") | _own(loss_fct__weight=(3,))
    state = {"state": {0: {"exp_avg": np.ones(3, "float32")}}}
    content = {"epoch": 3, "state_dict": arrays, "optimizer_states": [state]}
    files.write_torch(path / "pytorch_model.bin", content)
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(made.outputs(), "text_classifier", left_out=("loss_fct.weight",))


@row("FSDP and activation checkpointing: wrappers within the encoder")
def fsdp(path):
    made = reference("BertForQuestionAnswering")
    wrapped = {
        name.replace(".layer.0.", ".layer.0._checkpoint_wrapped_module."): array
        for name, array in made.tensors("_fsdp_wrapped_module.").items()
    }
    return Expected(_written(path, made, wrapped), "question_answerer")


@row("self.backbone in a class of somebody's own")
def own_attribute(path):
    made = reference()
    own = _own(head__0__weight=(4, 16), loss_scale=())
    arrays = made.tensors("backbone.") | own
    fields = {"architectures": ["IntentModel"], "model_type": "intent"}
    return Expected(_written(path, made, arrays, **fields), "", left_out=tuple(own))


@row("A sentence encoder: encoder.bert. and a projection")
def sentence_encoder(path):
    made = reference()
    own = _own(projection__weight=(8, 16))
    arrays = made.tensors("module.encoder.bert.") | own
    return Expected(
        _written(path, made, arrays, architectures=None), "", left_out=tuple(own)
    )
