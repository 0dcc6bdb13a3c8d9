"""Keras loads what holds kbert's classes after `import keras, kbert` and no more."""

import ast
import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import small_models

import kbert
from kbert.keras_classes import HOMES, Placeholder, make_known

PACKAGE = Path(kbert.__file__).parent
INPUTS = {
    "token_ids": np.array([[2, 7, 8, 3, 5, 3], [2, 6, 3, 0, 0, 0]], "int32"),
    "segment_ids": np.array([[0, 0, 0, 0, 1, 1], [0] * 6], "int32"),
    "padding_mask": np.array([[1] * 6, [1, 1, 1, 0, 0, 0]], "int32"),
}
MASKED = INPUTS | {"mask_positions": np.array([[1, 2], [1, 0]], "int32")}
CHOICES = {name: np.stack([x, x], 1) for name, x in INPUTS.items()}
TEXTS = np.array(["the movie .", "a movie"], dtype=object)
# What a process does that has imported nothing else, with the files of a directory.
LOAD = """
import kbert
import sys
assert "keras" not in sys.modules
import keras, numpy as np, pickle
def values(outputs):
    return [np.array(y) for y in keras.tree.flatten(outputs)]
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    inputs, expected = pickle.loads(path.with_suffix(".pickle").read_bytes())
    model = keras.models.load_model(path)
    for a, b in zip(values(model(keras.tree.map_structure(
        keras.ops.convert_to_tensor, inputs))), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=path.name)
    print(path.stem, type(model).__name__, model.compiled)
model = keras.models.load_model(path.parent / "compiled.keras")
model.load_weights(path.parent / "checkpoint.weights.h5")
optimizer, metric = model.optimizer, model.get_compile_config()["metrics"][0]
print(keras.saving.get_registered_name(type(optimizer)), int(optimizer.iterations),
      metric["registered_name"])
pickled = pickle.loads((path.parent / "pickled").read_bytes())
print(type(pickled).__name__)
"""


def decorated():
    """Module -> the classes in it that are registered with Keras."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            lines = map(ast.unparse, getattr(node, "decorator_list", ()))
            if any("register_keras_serializable" in line for line in lines):
                home = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
                found.setdefault(home, set()).add(node.name)
    return found


def test_every_registered_class_has_its_home_here():
    assert decorated() == {home: set(names) for home, names in HOMES.items()}


def own_head(backbone):
    return keras.layers.Dense(3)(backbone.output["pooled_output"])


def models():
    """Name -> a model and its inputs: every kind, and what is made of one."""
    made = {
        "backbone": (small_models.backbone(num_layers=1), INPUTS),
        "pretrainer": (
            kbert.BertPretrainer(small_models.backbone(num_layers=1)),
            MASKED,
        ),
        "tagger": (
            kbert.BertTokenClassifier(small_models.backbone(num_layers=1), 3),
            INPUTS,
        ),
        "answerer": (
            kbert.BertQuestionAnswerer(small_models.backbone(num_layers=1)),
            INPUTS,
        ),
        "choice": (
            kbert.BertMultipleChoice(small_models.backbone(num_layers=1)),
            CHOICES,
        ),
    }
    backbone = small_models.backbone(num_layers=1)
    made["own_head"] = keras.Model(backbone.input, own_head(backbone)), INPUTS
    lora = kbert.BertTextClassifier(small_models.backbone(num_layers=1), 3)
    lora.backbone.enable_lora(2)
    made["lora"] = lora, INPUTS
    text = keras.Input((), dtype="string")
    packed = kbert.BertPreprocessor(kbert.BertTokenizer(small_models.TOKENS), 8)(text)
    classifier = kbert.BertTextClassifier(small_models.backbone(num_layers=1), 3)
    made["strings_in"] = keras.Model(text, classifier(packed)), TEXTS
    return made


def compiled():
    model = kbert.BertTextClassifier(small_models.backbone(num_layers=1), 3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = kbert.adamw(1e-3, total_steps=10)
    model.compile(optimizer, loss, metrics=[kbert.F1(3)], run_eagerly=True)
    return model


def write(model, inputs, path):
    model.save(path)
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
    outputs = [np.array(y) for y in keras.tree.flatten(model(tensors))]
    path.with_suffix(".pickle").write_bytes(pickle.dumps((inputs, outputs)))


def test_a_process_that_imported_nothing_else(tmp_path):
    for name, (model, inputs) in models().items():
        write(model, inputs, tmp_path / f"{name}.keras")
    model = compiled()
    checkpoints = [
        keras.callbacks.ModelCheckpoint(tmp_path / "checkpoint.keras"),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "checkpoint.weights.h5", save_weights_only=True
        ),
    ]
    model.fit(INPUTS, np.array([0, 2]), verbose=0, callbacks=checkpoints)
    write(model, INPUTS, tmp_path / "compiled.keras")
    content = (tmp_path / "compiled.pickle").read_bytes()
    (tmp_path / "checkpoint.pickle").write_bytes(content)
    (tmp_path / "pickled").write_bytes(pickle.dumps(model))
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:keras", "-c", LOAD, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "answerer BertQuestionAnswerer False",
        "backbone BertBackbone False",
        "checkpoint BertTextClassifier True",
        "choice BertMultipleChoice False",
        "compiled BertTextClassifier True",
        "lora BertTextClassifier False",
        "own_head Functional False",
        "pretrainer BertPretrainer False",
        "strings_in Functional False",
        "tagger BertTokenClassifier False",
        "kbert>AdamW 1 kbert>F1",
        "BertTextClassifier",
    ]


@pytest.fixture
def emptied():
    """Keras' table as it is before any module of kbert was imported."""
    table = keras.saving.get_custom_objects()
    ours = {name: table.pop(name) for name in list(table) if name.startswith("kbert>")}
    yield table
    table.update(ours)


def test_keras_was_imported_before(emptied):
    config = {"peak_learning_rate": 1.0, "total_steps": 10, "warmup_steps": 2}
    schedule = kbert.WarmupLinearDecay(1.0, 10, 2)
    stored = keras.saving.serialize_keras_object(schedule)
    with pytest.raises(TypeError, match="Could not locate class 'WarmupLinearDecay'"):
        keras.saving.deserialize_keras_object(stored)
    make_known()
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is kbert.WarmupLinearDecay
    assert again.get_config() == config


def test_a_class_that_is_registered_stays(emptied):
    emptied["kbert>BertBackbone"] = kbert.BertBackbone
    make_known()
    assert emptied["kbert>BertBackbone"] is kbert.BertBackbone
    assert set(emptied) >= {f"kbert>{n}" for names in HOMES.values() for n in names}


def test_a_placeholder_answers_as_its_class():
    placeholder = Placeholder("kbert.training.schedules", "WarmupLinearDecay")
    assert type(placeholder(1.0, 10)) is kbert.WarmupLinearDecay
    assert placeholder.from_config.__name__ == "from_config"
    assert placeholder.mro() == kbert.WarmupLinearDecay.mro()
    assert repr(placeholder) == (
        "<class 'kbert.training.schedules.WarmupLinearDecay', not imported yet>"
    )
    assert type(copy.deepcopy(placeholder)) is Placeholder
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = placeholder.nothing


FAKE = """
import os
if os.environ.get("FAILS"):
    raise ImportError("no backend")
class saving:
    table = {}
    get_custom_objects = staticmethod(lambda: saving.table)
"""
ORDERS = (
    "import kbert, keras",
    "import keras, kbert",
    "from kbert import bert_tiny; import keras",
    # It is tried again once what was missing is there.
    """
import os, kbert
os.environ["FAILS"] = "1"
try:
    import keras
except ImportError as error:
    assert str(error) == "no backend"
os.environ.pop("FAILS")
import keras""",
)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_and_nothing_heavy(order, tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text(FAKE)
    code = f"""{order}
import sys
assert len(keras.saving.table) == {sum(map(len, HOMES.values()))}
assert keras.__spec__.name == "keras" and keras.__file__.endswith("__init__.py")
assert not any("kbert" in type(finder).__module__ for finder in sys.meta_path)
heavy = {{"numpy", "tensorflow", "kbert.layers", "kbert.text"}} & {{*sys.modules}}
assert not heavy, heavy"""
    path = os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
