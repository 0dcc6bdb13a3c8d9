"""Model directories of every make: one row each, and what is expected of it.

    python tests/foreign_directories.py      prints the table: loads, ids, outputs

A row writes a directory as another program leaves it (`foreign_files` has the parts)
and gives what that program's model computes. The next layout is one more function
with `@row("its name")`.
"""

import dataclasses
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import foreign_files as files
import numpy as np

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a directory must give.

    Attributes:
        outputs: arrays by the names of kbert's outputs, for `foreign_files.INPUTS`.
        head: what `kbert.load` makes of it; "" where its head is no kind of kbert's,
            `load` says so and `load_backbone` gives the encoder.
        ids: of `texts`, without [CLS] and [SEP]; None where the directory has no
            tokenizer.
        texts: those of `foreign_files`, or others.
        left_out: tensors of the file that the load report must name.
        embeddings: the vectors of `foreign_files.TEXTS`, where the directory says how
            they are made.
    """

    outputs: dict[str, np.ndarray]
    head: str = "backbone"
    ids: list | None = dataclasses.field(default_factory=lambda: files.IDS)
    left_out: tuple[str, ...] = ()
    texts: tuple[str, ...] = files.TEXTS
    embeddings: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """A make of directory: `write(path)` makes one and tells what it is to give."""

    name: str
    write: Callable[[Path], Expected]

    def __str__(self):
        return self.name


ROWS: list[Row] = []


def row(name):
    def added(write):
        ROWS.append(Row(name, write))
        return write

    return added


# === transformers, as it is installed ===


def _live_tokenizer(path):
    """Written by transformers itself; its ids of `TEXTS`."""
    import transformers

    files.write_vocabulary(path, None)
    made = transformers.BertTokenizer.from_pretrained(path)
    for file in path.glob("*.txt"):
        file.unlink()
    made.save_pretrained(path)
    return made(list(files.TEXTS), add_special_tokens=False)["input_ids"]


@row("transformers 5: BertForSequenceClassification")
def classifier(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    made.save_pretrained(path)
    return Expected(files.outputs(made), "text_classifier", _live_tokenizer(path))


@row("transformers 5: BertForMaskedLM, three files")
def masked_lm(path):
    made = files.model("BertForMaskedLM")
    made.save_pretrained(path, max_shard_size="4KB")
    return Expected(files.outputs(made), "pretrainer", _live_tokenizer(path))


@row("transformers 5: BertModel in bfloat16, no tokenizer")
def bfloat16(path):
    import copy

    import torch

    made = copy.deepcopy(files.model()).to(torch.bfloat16)
    made.save_pretrained(path)
    return Expected(files.outputs(made.float()), ids=None)


# === transformers, older ===


@row("transformers 4: safetensors, tokenizer.json and vocab.txt")
def transformers_4(path):
    from safetensors.numpy import save_file

    made = files.model("BertForTokenClassification", num_labels=5)
    path.mkdir()
    arrays = files.tensors(made)
    save_file(arrays, path / "model.safetensors", metadata={"format": "pt"})
    files.write_json(path / "config.json", files.config(made, torch_dtype="float32"))
    _live_tokenizer(path)
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
    files.write_vocabulary(path, settings | {"never_split": None})
    return Expected(files.outputs(made), "token_classifier")


@row("transformers 4: two pytorch_model.bin, float16")
def transformers_4_shards(path):
    made = files.model("BertForQuestionAnswering")
    arrays = files.tensors(made) | {
        "bert.embeddings.position_ids": np.arange(files.LENGTH)[None]
    }
    half = {
        name: array.astype("float16") for name, array in files.tensors(made).items()
    }
    files.write_shards(path, arrays | half, "pytorch_model.bin", files.write_torch)
    files.write_json(path / "config.json", files.config(made, torch_dtype="float16"))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(_rounded(made, half), "question_answerer")


def _rounded(made, arrays):
    """The outputs of a model with other numbers in it."""
    import copy

    import torch

    made = copy.deepcopy(made)
    state = {name: torch.tensor(array).float() for name, array in arrays.items()}
    made.load_state_dict(state, strict=False)
    return files.outputs(made)


@row("transformers 3: pytorch_model.bin, vocab.txt, no do_lower_case")
def transformers_3(path):
    made = files.model("BertForPreTraining")
    files.write_torch(path / "pytorch_model.bin", files.tensors(made))
    files.write_json(path / "config.json", files.config(made))
    files.write_vocabulary(path, {"model_max_length": 512})
    return Expected(files.outputs(made), "pretrainer")


@row("transformers 2: no architectures, no model_type, vocab.txt alone")
def transformers_2(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    files.write_torch(
        path / "pytorch_model.bin",
        files.tensors(made),
        _use_new_zipfile_serialization=False,
    )
    fields = {"architectures": None, "model_type": None, "id2label": None}
    files.write_json(path / "config.json", files.config(made, num_labels=3, **fields))
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "text_classifier")


@row("pytorch-pretrained-bert of 2018: bert_config.json, LayerNorm.gamma")
def of_2018(path):
    made = files.model("BertForPreTraining")
    arrays = files.of_2018(files.tensors(made))
    files.write_torch(
        path / "pytorch_model.bin", arrays, _use_new_zipfile_serialization=False
    )
    fields = {"architectures": None, "model_type": None, "layer_norm_eps": None}
    files.write_json(path / "bert_config.json", files.config(made, **fields))
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "pretrainer")


# === TensorFlow ===


@row("Google TF1: pre-trained, with the optimizer's slots")
def google(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = files.model("BertForPreTraining", hidden_act="gelu_new")
    variables = files.of_google(files.tensors(made))
    slots = {f"{name}/adam_m": array for name, array in variables.items()}
    slots["global_step"] = np.array(7, "int64")
    path.mkdir()
    write_tensors(variables | slots, path / "bert_model.ckpt")
    files.write_json(path / "bert_config.json", files.SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "pretrainer")


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
        len(files.TOKENS), 2, 2, 16, 24, max_sequence_length=files.LENGTH
    )
    for weight in made.weights:
        weight.assign(keras.random.normal(weight.shape) * 0.4)
    return made


def _kerashub_tokenizer():
    import keras_hub

    return keras_hub.tokenizers.BertTokenizer(files.TOKENS, lowercase=True)


def _kerashub_outputs(made):
    found = made(files.INPUTS)
    return {n: np.asarray(found[n]) for n in ("sequence_output", "pooled_output")}


@row("Google TF1: a classifier with loss scaling, saved in a scope")
def google_classifier(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = files.model(
        "BertForSequenceClassification", num_labels=3, hidden_act="gelu_new"
    )
    variables = files.of_google(files.tensors(made))
    variables = {f"model/{name}": array for name, array in variables.items()}
    variables |= {"current_loss_scale": np.array(1024, "float32")}
    path.mkdir()
    write_tensors(variables, path / "model.ckpt-80")
    files.write_json(path / "bert_config.json", files.SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "text_classifier", left_out=("current_loss_",))


@row("Google TF1: a tagger with a CRF, its slots among the variables")
def google_crf(path):
    from kbert.checkpoints.tensorflow.tensor_bundle import write_tensors

    made = files.model(hidden_act="gelu_new")
    variables = files.of_google(files.tensors(made, "bert."))
    own = {"crf_loss/transitions": (5, 5), "project/logits/W": (16, 5)}
    variables |= {name: np.ones(shape, "float32") for name, shape in own.items()}
    slots = {f"{name}/adam_v": array for name, array in variables.items()}
    path.mkdir()
    write_tensors(variables | slots, path / "model.ckpt-80")
    files.write_json(path / "bert_config.json", files.SIZES | {"type_vocab_size": 2})
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "", left_out=tuple(own))


@row("tf_model.h5: TFBertForSequenceClassification")
def h5_classifier(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    return _h5(path, made, "tf_bert_for_sequence_classification", "text_classifier")


@row("tf_model.h5: TFBertForPreTraining")
def h5_pretrainer(path):
    made = files.model("BertForPreTraining")
    return _h5(path, made, "tf_bert_for_pre_training_2", "pretrainer")


@row("tf_model.h5: TFBertForQuestionAnswering, two files")
def h5_shards(path):
    made = files.model("BertForQuestionAnswering")
    weights = files.of_transformers_tf(files.tensors(made))
    scope = "tf_bert_for_question_answering/"
    files.write_shards(path, weights, "tf_model.h5", files.write_h5_shard, scope)
    files.write_json(path / "config.json", files.config(made))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(files.outputs(made), "question_answerer")


@row("tf_model.h5: a Keras model of somebody's own on TFBertModel")
def h5_own(path):
    made = files.model()
    weights = files.of_transformers_tf(files.tensors(made, "bert."))
    weights = {f"tf_bert_model/{name}": array for name, array in weights.items()}
    weights["intent/kernel:0"] = np.ones((16, 4), "float32")
    path.mkdir()
    files.write_h5(path / "tf_model.h5", weights, "joint_bert")
    fields = {"architectures": None}
    files.write_json(path / "config.json", files.config(made, **fields))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(files.outputs(made), "", left_out=("joint_bert.intent.weight",))


def _h5(path, made, name, head):
    path.mkdir()
    weights = files.of_transformers_tf(files.tensors(made))
    files.write_h5(path / "tf_model.h5", weights, name)
    files.write_json(path / "config.json", files.config(made))
    files.write_vocabulary(path, {"do_lower_case": True})
    return Expected(files.outputs(made), head)


# === sentence-transformers ===


@row("sentence-transformers: [CLS], a projection, the length 1")
def sentence_transformers(path):
    from safetensors.numpy import save_file

    made = files.model()
    arrays = files.tensors(made)
    path.mkdir()
    save_file(arrays, path / "model.safetensors", metadata={"format": "pt"})
    files.write_json(path / "config.json", files.config(made))
    files.write_vocabulary(path, {"do_lower_case": True, "model_max_length": 512})
    files.write_sentence_modules(path, ("Transformer", "Pooling", "Dense", "Normalize"))
    files.write_json(path / "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    own = _own(linear__weight=(8, 16), linear__bias=(8,))
    settings = {"in_features": 16, "out_features": 8, "bias": True}
    settings["activation_function"] = "torch.nn.modules.activation.Tanh"
    files.write_json(path / "2_Dense/config.json", settings)
    files.write_torch(path / "2_Dense/pytorch_model.bin", own)
    first = np.stack([states[0] for states in files.states(made)])
    vectors = np.tanh(first @ own["linear.weight"].T + own["linear.bias"])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Expected(files.outputs(made), embeddings=vectors)


@row("sentence-transformers before 2: the BERT in 0_BERT/, the mean of 5 tokens")
def sentence_transformers_0(path):
    made = files.model()
    files.write_sentence_modules(path, ("BERT", "Pooling"), "0_BERT")
    files.write_json(path / "config.json", {"__version__": "0.2.6"})
    inner = path / "0_BERT"
    files.write_torch(inner / "pytorch_model.bin", files.tensors(made))
    files.write_json(inner / "config.json", files.config(made))
    settings = {"max_seq_length": 5, "do_lower_case": True}
    files.write_json(inner / "sentence_bert_config.json", settings)
    files.write_vocabulary(inner, {"do_lower_case": True})
    files.write_json(path / "1_Pooling/config.json", {"pooling_mode_mean_tokens": True})
    means = np.stack([states.mean(axis=0) for states in files.states(made, 5)])
    return Expected(files.outputs(made), embeddings=means)


# === Heads and wrappers of somebody's own ===


def _torch(path, made, arrays, **fields):
    files.write_torch(path / "pytorch_model.bin", arrays)
    files.write_json(path / "config.json", files.config(made, **fields))
    files.write_vocabulary(path, {"do_lower_case": True})
    return files.outputs(made)


def _own(**shapes):
    """Tensors of a head: `crf__transitions=(5, 5)` is "crf.transitions"."""
    rng = np.random.default_rng(0)
    return {
        name.replace("__", "."): rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


@row("JointBERT: two classifiers and a CRF")
def joint_bert(path):
    made = files.model()
    own = _own(
        intent_classifier__linear__weight=(7, 16),
        slot_classifier__linear__weight=(9, 16),
        crf__transitions=(9, 9),
    )
    arrays = files.tensors(made, "bert.") | own
    arrays["bert.embeddings.position_ids"] = np.arange(files.LENGTH)[None]
    outputs = _torch(path, made, arrays, architectures=["JointBERT"])
    return Expected(outputs, "", left_out=tuple(own))


@row("BERT-CRF without a pooler, config.json without architectures")
def bert_crf(path):
    made = files.model()
    own = _own(
        classifier__weight=(5, 16), classifier__bias=(5,), crf__transitions=(5, 5)
    )
    arrays = files.tensors(made, "bert.") | own
    arrays = {n: a for n, a in arrays.items() if ".pooler." not in n}
    outputs = _torch(path, made, arrays, architectures=None)
    del outputs["pooled_output"]
    return Expected(outputs, "", left_out=("crf.transitions",))


@row("DataParallel: a classifier, every name behind module.")
def data_parallel(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    outputs = _torch(path, made, files.tensors(made, "module."))
    return Expected(outputs, "text_classifier")


@row("torch.compile: a tagger, every name behind _orig_mod.")
def compiled(path):
    made = files.model("BertForTokenClassification", num_labels=5)
    outputs = _torch(path, made, files.tensors(made, "_orig_mod."))
    return Expected(outputs, "token_classifier")


@row("DataParallel over torch.compile, under the config of its pre-training")
def wrapped_twice(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    fields = {"architectures": ["BertForMaskedLM"], "id2label": None}
    outputs = _torch(path, made, files.tensors(made, "module._orig_mod."), **fields)
    return Expected(outputs, "text_classifier")


@row("PyTorch Lightning: model., the loss and the optimizer's state")
def lightning(path):
    made = files.model("BertForSequenceClassification", num_labels=3)
    arrays = files.tensors(made, "model.") | _own(loss_fct__weight=(3,))
    state = {"state": {0: {"exp_avg": np.ones(3, "float32")}}}
    content = {"epoch": 3, "state_dict": arrays, "optimizer_states": [state]}
    outputs = _torch(path, made, content)
    return Expected(outputs, "text_classifier", left_out=("loss_fct.weight",))


@row("self.backbone in a class of somebody's own")
def own_attribute(path):
    made = files.model()
    own = _own(head__0__weight=(4, 16), loss_scale=())
    arrays = files.tensors(made, "backbone.") | own
    fields = {"architectures": ["IntentModel"], "model_type": "intent"}
    return Expected(_torch(path, made, arrays, **fields), "", left_out=tuple(own))


@row("A sentence encoder: encoder.bert. and a projection")
def sentence_encoder(path):
    made = files.model()
    own = _own(projection__weight=(8, 16))
    arrays = files.tensors(made, "module.encoder.bert.") | own
    return Expected(
        _torch(path, made, arrays, architectures=None), "", left_out=tuple(own)
    )


# === Tokenizers ===

MARKED = ("the <e1>movie</e1>.", "<E1> hello [unused1]!")


def _marked_classifier(path, tokenizer):
    """A classifier with rows for the tokens that were added; its own texts' ids."""
    files.write_vocabulary(path, {"do_lower_case": True})
    made = files.model("BertForSequenceClassification", num_labels=3)
    made.resize_token_embeddings(len(tokenizer))
    return made, tokenizer(list(MARKED), add_special_tokens=False)["input_ids"]


def _markers(path, **special):
    """transformers' tokenizer of `vocab.txt` with two markers added."""
    import transformers

    files.write_vocabulary(path, {"do_lower_case": True})
    made = transformers.BertTokenizer.from_pretrained(path, **special)
    made.add_tokens(["<e1>", "</e1>"])
    return made


@row("transformers 5: markers added, a row for each, [unused1] special")
def markers(path):
    tokenizer = _markers(path, extra_special_tokens=["[unused1]"])
    made, ids = _marked_classifier(path, tokenizer)
    (path / "vocab.txt").unlink()
    tokenizer.save_pretrained(path)
    made.save_pretrained(path)
    return Expected(files.outputs(made), "text_classifier", ids, texts=MARKED)


@row("transformers 4: added_tokens.json, special_tokens_map.json")
def markers_of_4(path):
    tokenizer = _markers(path, extra_special_tokens=["[unused1]"])
    made, ids = _marked_classifier(path, tokenizer)
    added = {"<e1>": len(files.TOKENS), "</e1>": len(files.TOKENS) + 1}
    files.write_json(path / "added_tokens.json", added)
    named = {"additional_special_tokens": ["[unused1]"], "mask_token": "[MASK]"}
    files.write_json(path / "special_tokens_map.json", named)
    made.save_pretrained(path)
    return Expected(files.outputs(made), "text_classifier", ids, texts=MARKED)


@row("PreTrainedTokenizerFast: a tokenizer of one's own, the prefix @@")
def fast(path):
    import tokenizers
    import transformers
    from tokenizers import normalizers, pre_tokenizers

    vocabulary = {t.replace("##", "@@"): i for i, t in enumerate(files.TOKENS)}
    rust = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            vocabulary, unk_token="[UNK]", continuing_subword_prefix="@@"
        )
    )
    rust.normalizer = normalizers.BertNormalizer()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = {f"{n.lower()}_token": f"[{n}]" for n in ("PAD", "UNK", "CLS", "SEP")}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=rust, mask_token="[MASK]", **special
    )
    made = files.model()
    made.save_pretrained(path)
    tokenizer.save_pretrained(path)
    ids = tokenizer(list(files.TEXTS), add_special_tokens=False)["input_ids"]
    return Expected(files.outputs(made), ids=ids)


@row("vocab.txt with a byte order mark, a blank line, a token twice, spaces")
def odd_vocabulary(path):
    made = files.model(vocab_size=len(files.TOKENS) + 3)
    lines = [*files.TOKENS, "", "hello", "cafe "]
    lines[files.TOKENS.index("the")] = "the \t"
    made.save_pretrained(path)
    files.write_vocabulary(path, {"do_lower_case": True}, lines)
    file = path / "vocab.txt"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    # As google-research/bert's load_vocab: each line's place, the last of two.
    places = {line.strip(): i for i, line in enumerate(lines)}
    ids = [[places[piece] for piece in pieces] for pieces in files.PIECES]
    return Expected(files.outputs(made), ids=ids)


@row("an uncased vocab.txt alone beside config.json and model.safetensors")
def uncased(path):
    made = files.model("BertForTokenClassification", num_labels=5)
    made.save_pretrained(path)
    files.write_vocabulary(path, None)
    return Expected(files.outputs(made), "token_classifier")


# === The check ===


def differences(path: Path, expected: Expected) -> dict[str, float]:
    """The largest difference of each output from what is expected of it."""
    from kbert.checkpoints.load_and_save import load_with_report

    head = None if expected.head else "backbone"
    model, report = load_with_report(path, head=head)
    assert report.head == (expected.head or "backbone")
    left_out = "\n".join(report.ignored)
    assert all(name in left_out for name in expected.left_out), report
    inputs = dict(files.INPUTS)
    if expected.head == "pretrainer":
        places = np.arange(inputs["token_ids"].shape[1], dtype="int32")
        inputs["mask_positions"] = np.tile(places, (len(inputs["token_ids"]), 1))
    found = model(inputs, training=False)
    found = found if isinstance(found, dict) else {"logits": found}
    return {
        name: float(np.abs(np.asarray(found[name]) - array).max())
        for name, array in expected.outputs.items()
    }


def vectors_difference(path: Path, expected: Expected) -> float:
    """That of the vectors of texts."""
    import kbert

    found = kbert.embed(kbert.load(path), kbert.load_tokenizer(path), files.TEXTS)
    return float(np.abs(found - expected.embeddings).max())


def ids(path: Path, expected: Expected) -> list[list[int]]:
    """What kbert's tokenizer of a directory makes of its texts."""
    from kbert.checkpoints.local_path import local_path
    from kbert.text.tokenizer_files import load_light_tokenizer

    tokenizer = load_light_tokenizer(local_path(path))
    return [list(map(int, ids)) for ids in tokenizer.ids(list(expected.texts))]


def main() -> None:
    """Prints one line for each row: loads, ids equal, outputs equal."""
    print(f"{'make':<64} loads  ids    outputs")
    for made in ROWS:
        with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(f"{made.name:<64} {_line(made, Path(directory) / 'model')}")


def _line(made, path):
    expected = made.write(path)
    try:
        gaps = [*differences(path, expected).values()]
        if expected.embeddings is not None:
            gaps.append(vectors_difference(path, expected))
        largest = max(gaps)
        loads, equal = "yes", "yes" if largest <= TOLERANCE else f"no: {largest:.1g}"
    except (ValueError, OSError) as error:
        loads, equal = "no", str(error)[:80]
    same = "-"
    if expected.ids is not None:
        try:
            same = "yes" if ids(path, expected) == expected.ids else "no"
        except (ValueError, OSError):
            same = "error"
    return f"{loads:<6} {same:<6} {equal}"


if __name__ == "__main__":
    main()
