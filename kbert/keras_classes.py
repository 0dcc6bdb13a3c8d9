"""Lets Keras find kbert's classes in a file though none of them was imported.

`keras.models.load_model` looks a class up by the name that it was registered under, and
kbert's modules, which register theirs, are imported when a public name is first used.
Of other packages Keras imports the modules by itself (keras_hub and two more, which its
code names). Here a placeholder takes the place of each class in Keras' own table, and
imports the class when a file asks for it. `import kbert` still imports no framework: if
Keras comes later, the table is filled then.
"""

import importlib
import importlib.abc
import importlib.util
import sys

PACKAGE = "kbert"  # of the registered names: "kbert>BertBackbone"
HOMES = {
    "kbert.layers.attention": ("SelfAttention",),
    "kbert.layers.embeddings": ("BertEmbeddings",),
    "kbert.layers.encoder": ("EncoderBlock",),
    "kbert.layers.heads": ("MaskedLMHead", "NextSentenceHead"),
    "kbert.metrics.classification": ("F1", "MatthewsCorrelation"),
    "kbert.metrics.correlation": ("PearsonCorrelation", "SpearmanCorrelation"),
    "kbert.metrics.pretraining": ("LabelAccuracy", "RandomShare"),
    "kbert.models.backbone": ("BertBackbone",),
    "kbert.models.multiple_choice": (
        "BertMultipleChoice",
        "FlattenChoices",
        "GroupScores",
    ),
    "kbert.models.pretrainer": ("BertPretrainer",),
    "kbert.models.question_answerer": ("BertQuestionAnswerer",),
    "kbert.models.text_classifier": ("BertTextClassifier",),
    "kbert.models.token_classifier": ("BertTokenClassifier",),
    "kbert.text.packer": ("MultiSegmentPacker",),
    "kbert.text.preprocessor": ("BertPreprocessor",),
    "kbert.text.sentencepiece_tokenizer": ("SentencePieceTokenizer",),
    "kbert.text.tokenizer": ("BertTokenizer",),
    "kbert.training.adamw": ("AdamW",),
    "kbert.training.lamb": ("Lamb",),
    "kbert.training.losses": ("TokenCrossEntropy",),
    "kbert.training.schedules": ("WarmupLinearDecay",),
}


class Placeholder:
    """Stands for a class until its module is imported, which then takes its place.

    What Keras does with a class of a file, `from_config`, and what else is asked of it
    is answered by the class itself.
    """

    def __init__(self, home: str, name: str):
        self._home = home
        self._name = name

    @property
    def _class(self):
        return getattr(importlib.import_module(self._home), self._name)

    def from_config(self, config):
        return self._class.from_config(config)

    def __call__(self, *args, **kwargs):
        return self._class(*args, **kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):  # which copies and pickles look for
            raise AttributeError(name)
        return getattr(self._class, name)

    def __repr__(self):
        return f"<class '{self._home}.{self._name}', not imported yet>"


class _AtImportOfKeras(importlib.abc.MetaPathFinder):
    """Finds Keras as the others do, and fills its table once it is imported."""

    def __init__(self):
        self._is_asked = False

    def find_spec(self, fullname, path, target=None):
        if fullname != "keras" or self._is_asked:
            return None
        self._is_asked = True
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            self._is_asked = False
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_fill(module):
            run(module)
            sys.meta_path.remove(self)
            _fill(module)

        spec.loader.exec_module = run_and_fill
        return spec


def make_known() -> None:
    """Fills Keras' table: now if Keras is imported, otherwise as soon as it is."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "saving"):
        _fill(keras)
    else:
        sys.meta_path.insert(0, _AtImportOfKeras())


def _fill(keras) -> None:
    table = keras.saving.get_custom_objects()
    for home, names in HOMES.items():
        for name in names:
            table.setdefault(f"{PACKAGE}>{name}", Placeholder(home, name))
