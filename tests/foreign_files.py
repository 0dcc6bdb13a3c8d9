"""Weights, settings and tokenizers in the files of many programs.

The names are those under which each program stores its tensors, spelled here a second
time and by rule, so that nothing is tested against kbert's own tables.
"""

import json
from pathlib import Path

import numpy as np
from foreign_reference import TOKENS


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def write_vocabulary(directory: Path, settings: dict | None, tokens=TOKENS) -> None:
    """vocab.txt, and tokenizer_config.json where there are settings."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    if settings is not None:
        write_json(directory / "tokenizer_config.json", settings)


def write_sentence_modules(directory: Path, names, first="") -> None:
    """modules.json of sentence-transformers; `first`: the folder of the BERT."""
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": f"{i}_{name}" if i else first,
            "type": f"sentence_transformers.models.{name}",
        }
        for i, name in enumerate(names)
    ]
    write_json(directory / "modules.json", modules)


def write_safetensors(path: Path, arrays: dict) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path, metadata={"format": "pt"})


def write_torch(path: Path, content: dict, **options) -> None:
    """A .bin of NumPy arrays by name, in which dicts may be nested."""
    import torch

    def in_torch(value):
        if isinstance(value, dict):
            return {name: in_torch(item) for name, item in value.items()}
        if isinstance(value, list):
            return [in_torch(item) for item in value]
        return torch.tensor(value) if isinstance(value, np.ndarray) else value

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(in_torch(content), path, **options)


def write_shards(directory: Path, arrays: dict, name: str, write, scope="") -> None:
    """Two files and their index: pytorch_model.bin, tf_model.h5, …

    `scope`: what names begin with in the index alone, as TensorFlow's do.
    """
    stem, _, ending = name.rpartition(".")
    names = sorted(arrays)
    weight_map = {}
    directory.mkdir(parents=True, exist_ok=True)
    for i, part in enumerate((names[::2], names[1::2]), start=1):
        shard = f"{stem}-{i:05d}-of-00002.{ending}"
        write(directory / shard, {name: arrays[name] for name in part})
        weight_map |= {f"{scope}{name}": shard for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    write_json(directory / f"{name}.index.json", index)


def of_2018(arrays: dict) -> dict:
    """The names of pytorch-pretrained-bert: LayerNorm.gamma and beta."""
    old = {".weight": ".gamma", ".bias": ".beta"}
    found = {}
    for name, array in arrays.items():
        if "LayerNorm" in name:
            stem, dot, last = name.rpartition(".")
            name = stem + old[dot + last]
        found[name] = array
    return found


def of_google(arrays: dict) -> dict:
    """Variables of TF1, by the rules of transformers' script
    convert_bert_pytorch_checkpoint_to_original_tf.py; heads as run_classifier.py,
    run_squad.py and run_pretraining.py name them.
    """
    heads = {
        "classifier.weight": "output_weights",
        "classifier.bias": "output_bias",
        "qa_outputs.weight": "cls/squad/output_weights",
        "qa_outputs.bias": "cls/squad/output_bias",
        "cls.predictions.bias": "cls/predictions/output_bias",
        "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
        "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    }
    found = {}
    for name, array in arrays.items():
        if name in heads:
            found[heads[name]] = array
            continue
        theirs, array = _in_tensorflow(name, array)
        theirs = theirs.replace("/layer/", "/layer_")
        theirs = theirs.replace("_embeddings/weight", "_embeddings")
        found[theirs.replace("_embeddings/embeddings", "_embeddings")] = array
    return found


def of_transformers_tf(arrays: dict) -> dict:
    """Weights of a TFBert… model from its own name on: "bert/…/kernel:0".

    As modeling_tf_bert.py of transformers 4 makes them, and as
    modeling_tf_pytorch_utils.py reads them: "x___y" is y, "layer_._0" is layer.0.
    """
    found = {}
    for name, array in arrays.items():
        theirs, array = _in_tensorflow(name, array)
        theirs = theirs.replace("/layer/", "/layer_._")
        theirs = theirs.replace("cls/predictions", "mlm___cls/predictions")
        theirs = theirs.replace("cls/seq_relationship", "nsp___cls/seq_relationship")
        found[f"{theirs}:0"] = array
    return found


def _in_tensorflow(name, array):
    """ "a.b.weight" as "a/b/kernel", transposed; tables and norms as TensorFlow's."""
    stem, _, last = name.rpartition(".")
    if stem.endswith("LayerNorm"):
        last = {"weight": "gamma", "bias": "beta"}[last]
    elif stem.endswith(("position_embeddings", "token_type_embeddings")):
        last = "embeddings"
    elif last == "weight" and not stem.endswith("word_embeddings"):
        last, array = "kernel", np.ascontiguousarray(array.T)
    return f"{stem.replace('.', '/')}/{last}", array


def write_h5(path: Path, weights: dict, model_name: str) -> None:
    """As Keras 2's save_weights: a group for each layer, with the names in it.

    Args:
        weights: of `of_transformers_tf`.
        model_name: "tf_bert_model", which every name starts with.
    """
    import h5py

    layers = {}
    for name, array in weights.items():
        layers.setdefault(name.partition("/")[0], {})[f"{model_name}/{name}"] = array
    if "mlm___cls" in layers:  # which holds the table that it is tied to
        table = f"{model_name}/bert/embeddings/word_embeddings/weight:0"
        layers["mlm___cls"][table] = layers["bert"][table]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in [*layers, "dropout_7"]]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.15.0"
        file.create_group("dropout_7").attrs["weight_names"] = []
        for layer, own in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in own]
            for name, array in own.items():
                group.create_dataset(name, data=array)


def write_h5_shard(path: Path, weights: dict) -> None:
    """As save_pretrained of transformers 4 writes one of several: names flat."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in weights]
        for name, array in weights.items():
            file.create_dataset(name, data=array)
