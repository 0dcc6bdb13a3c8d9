"""One row for each kind of model: what it is called, what it is made of, who serves it.

What a model is has a name in eight vocabularies (the head that `kbert.load` takes, the
task of the command line, that of `config.json` and of the model card, the architecture
of transformers, the signature of a SavedModel, the class of the model and that of the
task). Each stands here, once. A new kind of model is one more row, and the files that
the row names:

    kbert.load(path, head="tagger")         Kind.head
    kbert finetune tagging                  Kind.commands
    {"architectures": ["BertFor…"]}         Kind.architectures
    {"kbert": {"task": "token_…"}}          Kind.task

Classes and functions are named as "module:name" and imported when they are asked for:
a table of kinds starts no framework.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from kbert.features import BACKBONE_INPUTS, PRETRAINER_INPUTS, Feature, with_axis
from kbert.signatures import Tensor

_LOGITS = "before softmax"


@dataclasses.dataclass(frozen=True)
class PageWords:
    """What the served page shows of one signature.

    Attributes:
        en, ko: its name.
        draws: how its outputs are drawn, one of `DRAW` in page.js.
        examples: what one may try: a text for each input that is one.
        inputs: names of inputs that the page does not know, by language.
    """

    en: str
    ko: str
    draws: str
    examples: tuple[tuple[str, ...], ...] = ()
    inputs: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        head: its name in `kbert.load(head=…)`, in load reports and weight tables.
        model: its Keras class.
        architectures: the classes of transformers that it is; the first is written.
        kerashub_classes: those of KerasHub and keras_nlp.
        task: its name in `config.json` ("kbert": {"task": …}) and in model cards.
        outputs: what the Keras model gives, its axes in the letters of `signatures`.
        inputs: the tensors that it takes.
        head_layers: the layers that are its head: attributes of the model, and the
            beginnings of their weights' paths.
        dense: of a head that is one dense layer, its name in each format of
            `kbert.checkpoints`; other heads have rows of their own in `weight_maps`.
        reads_pooler: whether an output depends on the pooler; else transformers has
            none in it, and none is written.
        has_classes: whether its constructor takes `num_classes`, and `config.json`
            names a label for each output.
        task_class: what `kbert finetune` trains it by; "" for models before that.
        commands: the names of the command line, and what each sets in `task_class`.
        columns: what `task_class` calls its columns, where it is not `text_columns`, a
            tuple, and `label_column`; of the first it then takes one alone.
        served: what answers in a SavedModel, beside `ServedEncoder`; "" for nothing.
        reports: the module that shows its examples in report.html, by the task's
            `problem_type`; by "" where it has none.
        words: its task, for people, in each language of the served page.
        page: the same for each signature of `served`.
    """

    head: str
    model: str
    architectures: tuple[str, ...]
    task: str
    outputs: tuple[Tensor, ...]
    inputs: tuple[Feature, ...] = BACKBONE_INPUTS
    head_layers: tuple[str, ...] = ()
    dense: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kerashub_classes: tuple[str, ...] = ()
    reads_pooler: bool = True
    has_classes: bool = False
    task_class: str = ""
    commands: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    served: str = ""
    reports: Mapping[str, str] = dataclasses.field(default_factory=dict)
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    page: Mapping[str, PageWords] = dataclasses.field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """The name of the Keras class: "BertTextClassifier"."""
        return self.model.partition(":")[2]


_KINDS = (
    Kind(
        head="backbone",
        model="kbert.models.backbone:BertBackbone",
        architectures=("BertModel",),
        task="encoder",
        outputs=(
            Tensor("sequence_output", "float32", "BLD", "one vector per token"),
            Tensor("pooled_output", "float32", "BD", "tanh(dense([CLS]))"),
        ),
        words={"en": "encoder", "ko": "인코더"},
        page={
            "embed": PageWords(
                "Vectors",
                "벡터",
                "vectors",
                (("영화가 재미있다\n영화가 지루하다\n법률을 개정한다",),),
            ),
            "tokenize": PageWords(
                "Pieces",
                "토큰",
                "pieces",
                (("나는 학교에 갔다!",), ("Unbelievable Café 😀",)),
            ),
            "attention": PageWords("Attention", "어텐션", "attention"),
        },
    ),
    Kind(
        head="pretrainer",
        model="kbert.models.pretrainer:BertPretrainer",
        architectures=(
            "BertForPreTraining",
            "BertForMaskedLM",
            "BertForNextSentencePrediction",
        ),
        kerashub_classes=("BertMaskedLM",),
        task="pretraining",
        inputs=PRETRAINER_INPUTS,
        outputs=(
            Tensor("masked_lm", "float32", "BMV", _LOGITS),
            Tensor("next_sentence", "float32", "BC", f"{_LOGITS}; 0: B follows A"),
        ),
        head_layers=("masked_lm_head", "next_sentence_head"),
        served="kbert.export.served_pretrainer:ServedPretrainer",
        words={"en": "pre-trained model", "ko": "사전학습 모델"},
        page={
            "fill_mask": PageWords(
                "Fill masks",
                "빈칸 채우기",
                "masks",
                (
                    ("배우들의 연기가 [MASK] 좋았다.",),
                    ("존경하는 대통령님, [MASK] 드립니다.",),
                    ("She looked at [MASK] and smiled.",),
                ),
            ),
            "next_sentence": PageWords("Next sentence", "다음 문장", "next"),
        },
    ),
    Kind(
        head="text_classifier",
        model="kbert.models.text_classifier:BertTextClassifier",
        architectures=("BertForSequenceClassification",),
        kerashub_classes=("BertTextClassifier", "BertClassifier"),
        task="text_classification",
        outputs=(Tensor("logits", "float32", "BC", _LOGITS),),
        head_layers=("classifier",),
        dense={
            "huggingface": "classifier",
            "google": "",
            "model_garden": "head/out_proj",
            "kerashub": "dense",
        },
        has_classes=True,
        task_class="kbert.tasks.classification.text_classification:TextClassification",
        commands={
            "classification": {"problem_type": "single_label_classification"},
            "multi-label": {"problem_type": "multi_label_classification"},
            "regression": {"problem_type": "regression"},
        },
        served="kbert.export.served_classifier:ServedClassifier",
        reports={
            "single_label_classification": "kbert.reports.classification",
            "multi_label_classification": "kbert.reports.multi_label",
            "regression": "kbert.reports.regression",
        },
        words={"en": "text classification", "ko": "문장 분류"},
        page={
            "classify": PageWords("Classify", "분류", "classes"),
            "regress": PageWords("Score", "점수", "number"),
        },
    ),
    Kind(
        head="token_classifier",
        model="kbert.models.token_classifier:BertTokenClassifier",
        architectures=("BertForTokenClassification",),
        task="token_classification",
        outputs=(Tensor("logits", "float32", "BLC", f"{_LOGITS}, per token"),),
        head_layers=("classifier",),
        dense={
            "huggingface": "classifier",
            "google": "",
            "model_garden": "head/out_proj",
        },
        reads_pooler=False,
        has_classes=True,
        task_class="kbert.tasks.tagging.token_classification:TokenClassification",
        commands={"tagging": {}},
        columns={"text_columns": "word_column", "label_column": "tag_column"},
        served="kbert.export.served_tagger:ServedTagger",
        reports={"": "kbert.reports.tagging"},
        words={"en": "tagging", "ko": "개체명 인식"},
        page={
            "tag": PageWords(
                "Entities",
                "개체명",
                "entities",
                (
                    ("김연아 선수는 2010년 밴쿠버 올림픽에서 금메달을 땄다.",),
                    ("손흥민은 2015년 8월 토트넘에 입단했다.",),
                    ("Ada Lovelace was born in London in 1815.",),
                ),
            )
        },
    ),
    Kind(
        head="question_answerer",
        model="kbert.models.question_answerer:BertQuestionAnswerer",
        architectures=("BertForQuestionAnswering",),
        task="question_answering",
        outputs=(
            Tensor("start_logits", "float32", "BL", f"{_LOGITS} over the tokens"),
            Tensor("end_logits", "float32", "BL", f"{_LOGITS} over the tokens"),
        ),
        head_layers=("answer_span",),
        dense={
            "huggingface": "qa_outputs",
            "google": "cls/squad/",
            "model_garden": "head/out_proj",
        },
        reads_pooler=False,
        task_class="kbert.tasks.questions.question_answering:QuestionAnswering",
        commands={"question-answering": {}},
        served="kbert.export.served_question_answerer:ServedQuestionAnswerer",
        reports={"": "kbert.reports.questions"},
        words={"en": "question answering", "ko": "질의응답"},
        page={
            "answer": PageWords(
                "Answer",
                "답 찾기",
                "answer",
                (
                    (
                        "세종이 훈민정음을 반포한 해는?",
                        "세종대왕은 1443년 훈민정음을 만들고 1446년 이를 반포하였다. "
                        "집현전 학자들이 이를 도왔다.",
                    ),
                    ("Where was Ada born?", "Ada Lovelace was born in London in 1815."),
                ),
            )
        },
    ),
    Kind(
        head="multiple_choice",
        model="kbert.models.multiple_choice:BertMultipleChoice",
        architectures=("BertForMultipleChoice",),
        task="multiple_choice",
        inputs=with_axis(BACKBONE_INPUTS, "C"),
        outputs=(Tensor("logits", "float32", "BC", f"{_LOGITS} over the choices"),),
        head_layers=("classifier",),
        dense={"huggingface": "classifier"},
        task_class="kbert.tasks.choices.multiple_choice:MultipleChoice",
        commands={"multiple-choice": {}},
        served="kbert.export.served_multiple_choice:ServedMultipleChoice",
        reports={"": "kbert.reports.choices"},
        words={"en": "multiple choice", "ko": "객관식"},
        page={
            "choose": PageWords(
                "Choose",
                "고르기",
                "classes",
                (
                    (
                        "비가 많이 온다. 그래서 철수는",
                        "우산을 썼다.\n수영복을 입었다.\n불을 껐다.",
                    ),
                    ("She opened the umbrella because", "it rained.\nit was noon."),
                ),
                {"choices": {"en": "Choices", "ko": "보기"}},
            )
        },
    ),
)

KINDS: dict[str, Kind] = {kind.head: kind for kind in _KINDS}
HEADS: tuple[str, ...] = tuple(KINDS)
# Names of the command line -> the kind.
TASKS: dict[str, Kind] = {name: kind for kind in _KINDS for name in kind.commands}
# Classes of transformers -> the head.
ARCHITECTURES: dict[str, str] = {
    name: kind.head for kind in _KINDS for name in kind.architectures
}


def loaded(place: str) -> Any:
    """The class or function that a row names.

    >>> loaded("kbert.config:bert_tiny")().hidden_dim
    128
    """
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def _by_class(instance, rows):
    """The row of its class, or of the nearest class that it is made of; or None."""
    places = (f"{c.__module__}:{c.__qualname__}" for c in type(instance).__mro__)
    return next((rows[place] for place in places if place in rows), None)


def kind_of(model: Any) -> Kind:
    """The row of a Keras model, a class of somebody's own made of one of ours included.

    Raises:
        ValueError: it is none of kbert's models.
    """
    kind = _by_class(model, {kind.model: kind for kind in _KINDS})
    if kind:
        return kind
    raise ValueError(
        f"Expected a {', '.join(kind.model_name for kind in _KINDS)}; got "
        f"{type(model).__name__}."
    )


def kind_of_task(task: Any) -> Kind:
    """The row of a task.

    Raises:
        ValueError: no model is trained by it.
    """
    by_class = {kind.task_class: kind for kind in _KINDS if kind.task_class}
    kind = _by_class(task, by_class)
    if kind:
        return kind
    names = [place.partition(":")[2] for place in by_class]
    raise ValueError(
        f"Expected a task out of {', '.join(names)}; got a {type(task).__name__}."
    )


def new_task(name: str, **options):
    """A task that has not seen its examples yet.

    Args:
        name: one of `TASKS`.
        **options: fields of the task's class; None leaves the default. `text_columns`
            and `label_column` serve for whatever the class calls its columns.

    Raises:
        ValueError: an unknown name, or an option that the task does not have.
    """
    if name not in TASKS:
        raise ValueError(f"Expected a task out of {', '.join(TASKS)}; got {name!r}.")
    kind = TASKS[name]
    task_class = loaded(kind.task_class)
    if "text_columns" in kind.columns and options.get("text_columns"):
        options["text_columns"] = options["text_columns"][0]
    options = {kind.columns.get(key, key): value for key, value in options.items()}
    given = {key: value for key, value in options.items() if value is not None}
    fields = {field.name for field in dataclasses.fields(task_class)}
    strange = [key for key in given if key not in fields]
    if strange:
        # Their names on the command line, where several columns are given one by one.
        names = [key.replace("text_columns", "text_column") for key in strange]
        flags = ", ".join("--" + name.replace("_", "-") for name in names)
        raise ValueError(f"Expected no {flags} for {name}: it has no meaning there.")
    return task_class(**given, **kind.commands[name])


def task_from_config(config: dict, **options):
    """The task of a fine-tuned model, from its `config.json`.

    Args:
        config: its content, by kbert or by transformers.
        **options: fields that rule over it, as `encoding`; None leaves them.

    Raises:
        ValueError: the model has no head of these tasks.
    """
    task_class = loaded(fine_tuned_kind(config).task_class)
    given = {key: value for key, value in options.items() if value is not None}
    return dataclasses.replace(task_class.from_config(config), **given)


def fine_tuned_kind(config: Mapping) -> Kind:
    """The row of a fine-tuned model, from its `config.json`; starts no framework.

    Raises:
        ValueError: as `task_from_config`.
    """
    own = config.get("kbert", {}).get("task")
    architecture = (config.get("architectures") or ["BertModel"])[0]
    head = next((k.head for k in _KINDS if k.task == own), None)
    kind = KINDS.get(head or ARCHITECTURES.get(architecture))
    if kind is None or not kind.task_class:
        fine_tuned = [kind.head.replace("_", " ") for kind in _KINDS if kind.task_class]
        raise ValueError(
            f"Expected the directory of a fine-tuned model ({', '.join(fine_tuned)}); "
            f"this one holds a {architecture}. Make one with kbert finetune."
        )
    return kind
