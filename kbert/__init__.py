"""BERT, whole, in Keras: from raw text to a served model.

Every public name is loaded when it is first used: `import kbert` imports no framework.
"""

import importlib

__version__ = "0.1.0"

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
    "kbert.text.tokenizer_files": ("load_reference_tokenizer",),
    "kbert.text.show": ("tokenize",),
    "kbert.text.packer": ("MultiSegmentPacker",),
    "kbert.text.preprocessor": ("BertPreprocessor",),
    "kbert.models.backbone": ("BertBackbone",),
    "kbert.models.pretrainer": ("BertPretrainer",),
    "kbert.models.text_classifier": ("BertTextClassifier",),
    "kbert.models.token_classifier": ("BertTokenClassifier",),
    "kbert.models.question_answerer": ("BertQuestionAnswerer",),
    "kbert.models.hidden_states": ("hidden_states_model",),
    "kbert.models.surgery": ("drop_layers", "freeze", "resize_vocabulary"),
    "kbert.checkpoints.model_directory": (
        "load",
        "load_backbone",
        "load_tokenizer",
        "load_with_report",
        "save",
    ),
    "kbert.checkpoints.convert": ("convert",),
    "kbert.checkpoints.doctor": ("doctor",),
    "kbert.checkpoints.vocabulary_transfer": ("with_vocabulary",),
    "kbert.pretraining.batches": ("PretrainingBatches",),
    "kbert.metrics.classification": ("F1", "MatthewsCorrelation"),
    "kbert.metrics.correlation": ("PearsonCorrelation", "SpearmanCorrelation"),
    "kbert.tasks.text_classification": ("TextClassification",),
    "kbert.tasks.token_classification": ("TokenClassification",),
    "kbert.tasks.question_answering": ("QuestionAnswering",),
    "kbert.tasks.inference": ("answer", "bucketed_dataset"),
    "kbert.tasks.feature_extraction": ("extract_features",),
    "kbert.training.feature_lines": ("feature_lines",),
    "kbert.training.schedules": ("WarmupLinearDecay",),
    "kbert.training.optimizers": ("AdamW", "adamw"),
    "kbert.training.vocab": ("vocab", "extend_vocab", "prune_vocab"),
    "kbert.training.pretrain": ("pretrain",),
    "kbert.training.finetune": ("finetune",),
    "kbert.training.evaluate": ("evaluate",),
    "kbert.training.predict": ("predict", "fill_mask"),
    "kbert.serving.export": ("export_saved_model",),
    "kbert.serving.export_onnx": ("export_onnx",),
    "kbert.serving.export_litert": ("export_litert",),
    "kbert.serving.server": ("serve",),
    "kbert.serving.demo": ("demo",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kbert' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
