"""BERT, whole, in Keras: from raw text to a served model.

Every public name is loaded when it is first used: `import kbert` imports no framework.
Keras is told where it finds the classes of a `.keras` file (`kbert.keras_classes`).
"""

import importlib

from kbert.keras_classes import make_known

__version__ = "0.1.0"

make_known()

_HOMES = {
    "kbert.config": (
        "BertConfig",
        "bert_tiny",
        "bert_mini",
        "bert_small",
        "bert_medium",
        "bert_base",
        "bert_large",
    ),
    "kbert.text.vocabulary": ("Vocabulary",),
    "kbert.text.vocabulary_learner": (
        "learn_vocabulary",
        "learn_vocabulary_from_texts",
    ),
    "kbert.text.vocabulary_report": ("format_report", "vocabulary_report"),
    "kbert.text.vocabulary_change": ("extend_vocabulary", "prune_vocabulary"),
    "kbert.text.tokenizer": ("BertTokenizer",),
    "kbert.text.reference_tokenizer": ("ReferenceTokenizer",),
    "kbert.text.sentencepiece_tokenizer": ("SentencePieceTokenizer",),
    "kbert.checkpoints.tokenizers": ("load_reference_tokenizer",),
    "kbert.commands.tokenize": ("tokenize",),
    "kbert.text.packer": ("MultiSegmentPacker",),
    "kbert.text.preprocessor": ("BertPreprocessor",),
    "kbert.models.hidden_states": ("hidden_states_model",),
    "kbert.models.surgery": ("drop_layers", "freeze", "resize_vocabulary"),
    "kbert.checkpoints.load_and_save": (
        "load",
        "load_backbone",
        "load_tokenizer",
        "load_with_report",
        "save",
    ),
    "kbert.commands.convert": ("convert",),
    "kbert.commands.doctor": ("doctor",),
    "kbert.checkpoints.vocabulary_transfer": ("with_vocabulary",),
    "kbert.pretraining.batches": ("PretrainingBatches",),
    "kbert.metrics.classification": ("F1", "MatthewsCorrelation"),
    "kbert.metrics.correlation": ("PearsonCorrelation", "SpearmanCorrelation"),
    "kbert.tasks.answerer": ("answer", "bucketed_dataset"),
    "kbert.tasks.feature_extraction": ("extract_features",),
    "kbert.tasks.text_vectors": ("embed",),
    "kbert.commands.extract_features": ("feature_lines",),
    "kbert.training.schedules": ("WarmupLinearDecay",),
    "kbert.training.optimizers": ("AdamW", "Lamb", "adamw", "lamb"),
    "kbert.training.batches": ("BatchRange",),
    "kbert.training.pretraining": ("compile_pretrainer",),
    "kbert.commands.vocab": ("vocab", "extend_vocab", "prune_vocab"),
    "kbert.commands.pretrain": ("pretrain",),
    "kbert.commands.finetune": ("finetune",),
    "kbert.commands.answering": ("load_answerer",),
    "kbert.commands.evaluate": ("evaluate",),
    "kbert.commands.predict": ("predict", "fill_mask"),
    "kbert.commands.export": ("export_saved_model", "export_onnx", "export_litert"),
    "kbert.commands.serve": ("serve",),
    "kbert.commands.demo": ("demo",),
}


def __getattr__(name):
    if name == "__all__":  # of `from kbert import *`
        return sorted(_home_of())
    home = _home_of().get(name)
    if home is None:
        raise AttributeError(f"module 'kbert' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_home_of()})


def _home_of():
    """Public name -> the module that has it; classes of models and tasks by kind."""
    from kbert.registry import KINDS

    homes = {name: home for home, names in _HOMES.items() for name in names}
    for kind in KINDS.values():
        for place in filter(None, (kind.model, kind.task_class)):
            home, _, name = place.partition(":")
            homes[name] = home
    return homes
