"""A question and a text: the slice of the text that answers it, or none."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from kbert.metrics.answers import (
    best_no_answer_threshold,
    korquad_exact_match,
    korquad_f1,
    squad_exact_match,
    squad_f1,
)
from kbert.tasks.questions.answer_spans import best_spans, covering_tokens, n_best_list
from kbert.tasks.questions.question_rows import PackedQuestions, pack_questions
from kbert.tasks.questions.squad_files import (
    Question,
    prediction_files,
    read_questions,
)
from kbert.tasks.task import check_segments

METRICS = {
    "exact_match": squad_exact_match,
    "f1": squad_f1,
    "korquad_exact_match": korquad_exact_match,
    "korquad_f1": korquad_f1,
}
_OUTPUTS = ("start_logits", "end_logits")
_NOTHING = {"text": "", "start": None, "end": None, "probability": 0.0}


@dataclasses.dataclass(frozen=True)
class QuestionAnswering:
    """What a question answerer's directory has to know beside the weights.

    The defaults are those of google-research/bert's run_squad.py.

    Attributes:
        sequence_length: tokens of a row: question, window of the text, and 3 special.
        stride: tokens from one window to the next; None: 128, at most half a window.
        max_question_length: tokens that a question is cut to.
        max_answer_length: tokens of the longest answer.
        n_best: answers listed for a question; starts and ends looked at in a window.
        has_no_answer: whether a question may be left unanswered, as in SQuAD 2.0.
        null_threshold: a question is left unanswered if the logits of no answer exceed
            those of the best answer by more than this.
        metric: a key of `METRICS`.
        encoding: of the files that are read.

    Raises:
        ValueError: a length below 1, or an unknown metric.
    """

    sequence_length: int = 384
    stride: int | None = None
    max_question_length: int = 64
    max_answer_length: int = 30
    n_best: int = 20
    has_no_answer: bool = False
    null_threshold: float = 0.0
    metric: str = "f1"
    encoding: str = "utf-8"
    outputs_per = "token"
    num_texts = 2

    def __post_init__(self):
        for name in (
            "sequence_length",
            "stride",
            "max_question_length",
            "max_answer_length",
            "n_best",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}.")
        if self.metric not in METRICS:
            raise ValueError(
                f"metric must be one of {', '.join(METRICS)}; got {self.metric!r}."
            )

    @classmethod
    def from_config(cls, config: dict) -> "QuestionAnswering":
        """Reads `config.json`; what it does not tell has the defaults.

        Raises:
            ValueError: the config is not a question answerer's.
        """
        architecture = (config.get("architectures") or ["BertModel"])[0]
        if architecture != "BertForQuestionAnswering":
            raise ValueError(
                "Expected the directory of a question answerer; this one holds a "
                f"{architecture}. Make one with kbert finetune question-answering."
            )
        own = config.get("kbert", {})
        defaults = {f.name: f.default for f in _stored_fields()}
        longest = config.get("max_position_embeddings", defaults["sequence_length"])
        defaults["sequence_length"] = min(defaults["sequence_length"], longest)
        return cls(**{name: own.get(name, value) for name, value in defaults.items()})

    def to_config(self) -> dict:
        """Fields of `config.json`, all of them our own."""
        fields = {field.name: getattr(self, field.name) for field in _stored_fields()}
        return {"kbert": {"task": "question_answering"} | fields}

    def read(self, source: str, is_labelled: bool = True) -> Iterator[Question]:
        """See `read_questions`."""
        return read_questions(source, is_labelled, self.encoding)

    def example(self, texts: tuple[str, ...], number: int) -> Question:
        """A question and its context; the number is the id.

        Raises:
            ValueError: other than two texts, or one of them without words.
        """
        if len(texts) != 2 or not all(text.strip() for text in texts):
            raise ValueError(
                f"Expected a question and its context; example {number} is "
                f"{str(texts)[:80]}."
            )
        return Question(str(number), *texts)

    def typed(self, line: str, number: int) -> Question:
        """question<TAB>context; the line's number is the id.

        Raises:
            ValueError: no tab, or nothing on one side of it.
        """
        question, _, context = line.partition("\t")
        if not question.strip() or not context.strip():
            raise ValueError(
                f"Expected question<TAB>context; line {number} is {line[:80]!r}."
            )
        return self.example((question, context), number)

    def learned(self, examples: list[Question]) -> "QuestionAnswering":
        """Whether questions may be left unanswered: if one of these has no answer."""
        has_no_answer = any(example.answers == () for example in examples)
        return dataclasses.replace(self, has_no_answer=has_no_answer)

    def group(self, example: Question) -> str:
        """The article, or else the context."""
        return example.title or example.context

    def num_characters(self, example: Question) -> int:
        """Of the question and its text."""
        return len(example.question) + len(example.context)

    def build(self, backbone):
        """A `BertQuestionAnswerer`."""
        from kbert.models.question_answerer import BertQuestionAnswerer

        check_segments(self.num_texts, backbone.num_segments)
        return BertQuestionAnswerer(backbone)

    def compile_arguments(self) -> dict:
        """The mean of the cross-entropies of both ends, over all tokens of a row."""
        import keras

        cross_entropy = keras.losses.SparseCategoricalCrossentropy
        return {
            "loss": {name: cross_entropy(from_logits=True) for name in _OUTPUTS},
            "loss_weights": {name: 0.5 for name in _OUTPUTS},
        }

    def pack(self, examples: list[Question], tokenizer) -> PackedQuestions:
        """See `pack_questions`."""
        return pack_questions(
            examples,
            tokenizer,
            self.sequence_length,
            self.stride,
            self.max_question_length,
        )

    def batch(self, packed: PackedQuestions, rows: np.ndarray):
        """(inputs, targets, weights): of each end int32 (B,), and float32 ones (B,)."""
        targets = dict(zip(_OUTPUTS, packed.targets[rows].T, strict=True))
        weights = {name: np.ones(len(rows), "float32") for name in _OUTPUTS}
        return packed.rows.batch(rows), targets, weights

    def decode(self, outputs: dict, packed: PackedQuestions) -> list[dict]:
        """The answer to each question, and what else it might be.

            {"id": "7", "answer": "b", "start": 2, "end": 3, "score": 0.9,
             "no_answer_score": None, "n_best": [{"text": "b", …}, …]}

        Answers are slices of the context, context[start:end], never of the question.
        `score` is the answer's share of the softmax over `n_best`. Without an answer,
        `answer` is "" and `start` and `end` are None; so is `no_answer_score`, the
        logits of no answer less those of the best answer, where all are answered.
        """
        return [self._answer(outputs, packed, i) for i in range(len(packed))]

    def _answer(self, outputs, packed, i):
        text, starts, limits = packed.text_tokens(i)
        part = slice(packed.splits[i], packed.splits[i + 1])
        slices = packed.window_slices(i)
        start_logits, end_logits = (outputs[name] for name in _OUTPUTS)
        spans = best_spans(
            packed.windows[part],
            [start_logits[window] for window in slices],
            [end_logits[window] for window in slices],
            self.n_best,
            self.max_answer_length,
        )
        no_answer, no_answer_score = None, None
        if self.has_no_answer:  # the window that is least sure of having none decides
            cls = packed.rows.starts[:-1][part]
            ends = [(float(start_logits[c]), float(end_logits[c])) for c in cls]
            no_answer = min(ends, key=sum)
        n_best = n_best_list(text, starts, limits, spans, self.n_best, no_answer)
        best = next((entry for entry in n_best if entry["text"]), None)
        chosen = best or _NOTHING
        if self.has_no_answer:
            # A text without any token has no best answer; its logits count as 0.
            sure = best["start_logit"] + best["end_logit"] if best else 0.0
            no_answer_score = sum(no_answer) - sure
            if best is None or no_answer_score > self.null_threshold:
                chosen = next(entry for entry in n_best if not entry["text"])
        return {
            "id": packed.ids[i],
            "answer": chosen["text"],
            "start": chosen["start"],
            "end": chosen["end"],
            "score": chosen["probability"],
            "no_answer_score": no_answer_score,
            "n_best": n_best,
        }

    def files(self, answers: list[dict]) -> dict[str, str]:
        """Those of run_squad.py, see `prediction_files`."""
        return prediction_files(answers)

    def score(self, answers: list[dict], examples: list[Question]) -> dict[str, float]:
        """Means from 0 to 1 of all `METRICS` and, where there may be no answer, more.

        As in evaluate-v2.0.py: `has_answer_exact`, `has_answer_f1` and
        `no_answer_accuracy` of the questions that are so, if any; `best_exact` and
        `best_f1` at the `null_threshold` that is best for them here, and
        `best_exact_threshold` and `best_f1_threshold`, in logits.
        """
        texts = [answer["answer"] for answer in answers]
        values = {name: _values(name, texts, examples) for name in METRICS}
        scores = {name: float(column.mean()) for name, column in values.items()}
        if not self.has_no_answer:
            return scores
        has_answer = np.array([bool(example.answers) for example in examples])
        if has_answer.any():
            scores["has_answer_exact"] = float(values["exact_match"][has_answer].mean())
            scores["has_answer_f1"] = float(values["f1"][has_answer].mean())
        if not has_answer.all():
            accuracy = float(values["exact_match"][~has_answer].mean())
            scores["no_answer_accuracy"] = accuracy
        for name, metric in (("best_exact", "exact_match"), ("best_f1", "f1")):
            best, threshold = _best_threshold(metric, answers, examples)
            scores |= {name: best, f"{name}_threshold": threshold}
        return scores

    def floor(self, examples: list[Question]) -> float:
        """What leaving every question unanswered scores."""
        return float(_values(self.metric, [""] * len(examples), examples).mean())

    def calibrated(
        self, answers: list[dict], examples: list[Question]
    ) -> "QuestionAnswering":
        """With the `null_threshold` that is best for `metric` on these examples."""
        if not self.has_no_answer or all(example.answers for example in examples):
            return self
        _, threshold = _best_threshold(self.metric, answers, examples)
        return dataclasses.replace(self, null_threshold=threshold)

    def upper_bound(self, packed: PackedQuestions, examples: list[Question]) -> float:
        """The exact match of a model that always points at the tokens of the answer.

        Tokens may hold more than the answer, as where a particle is part of the word,
        and the answer may be longer than `max_answer_length` or than every window. By
        KorQuAD's rules where `metric` is by them, else by SQuAD's.
        """
        metric = METRICS[self.metric.replace("f1", "exact_match")]
        total = 0.0
        for i, example in enumerate(examples):
            texts = [text for text, _ in example.answers]
            reached = list(self._reached(packed, i, example.answers))
            if not texts and self.has_no_answer:
                reached = [""]
            total += max((metric(text, texts) for text in reached), default=0.0)
        return total / len(examples)

    def _reached(self, packed, i, answers):
        """The texts that are nearest to the accepted ones and could be answered."""
        text, starts, limits = packed.text_tokens(i)
        spans = packed.windows[packed.splits[i] : packed.splits[i + 1]]
        for accepted, start in answers:
            end = start + len(accepted)
            first, last = covering_tokens(starts, limits, start, end)
            inside = (spans[:, 0] <= first) & (last < spans[:, 1])
            if 0 <= last - first < self.max_answer_length and inside.any():
                yield text[starts[first] : limits[last]]


def _stored_fields():
    fields = dataclasses.fields(QuestionAnswering)
    return [field for field in fields if field.name != "encoding"]


def _values(metric, texts, examples):
    """float64 (examples,), the scores of some texts."""
    score = METRICS[metric]
    return np.array(
        [
            score(text, [accepted for accepted, _ in example.answers])
            for text, example in zip(texts, examples, strict=True)
        ]
    )


def _best_threshold(metric, answers, examples):
    """(score, threshold) by what each question's best answer would score."""
    texts = [
        next((e["text"] for e in answer["n_best"] if e["text"]), "")
        for answer in answers
    ]
    return best_no_answer_threshold(
        [answer["no_answer_score"] for answer in answers],
        _values(metric, texts, examples).tolist(),
        _values(metric, [""] * len(examples), examples).tolist(),
    )
