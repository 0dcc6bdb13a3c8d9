"""One text or a pair of texts, and a label, several labels or a number."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from kbert.tasks.classification.class_weights import class_weights
from kbert.tasks.classification.text_examples import TextExample, text_of
from kbert.tasks.classification.text_problems import PROBLEMS
from kbert.tasks.data.records import fields, read_records
from kbert.tasks.rows.packed_rows import PackedRows, pack_rows
from kbert.tasks.task import check_segments, json_lines


@dataclasses.dataclass(frozen=True)
class PackedTexts:
    """One row for each example.

    Attributes:
        rows: `PackedRows`.
        targets: int32 (rows,), the class; float32 (rows, C), 0 or 1; or float32
            (rows, 1), the number. Zeros where the examples have no labels.
        weights: float32 (rows,), what a row counts in the loss.
    """

    rows: PackedRows
    targets: np.ndarray
    weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class TextClassification:
    """What a classifier's directory has to know beside the weights; a `Task`.

    Attributes:
        labels: the label of each class, in the order of the logits; () for regression,
            and before `learned`, unless the order is to be this one.
        text_columns: one column of a file, or two for pairs. A name with dots that is
            no column leads into the objects of JSON.
        label_column: the column of the answer, named in the same way.
        sequence_length: tokens that a text, or a pair, is cut to.
        problem_type: "single_label_classification", "multi_label_classification" or
            "regression", as transformers spells them.
        metric: the score that a training chooses by; "" takes the first of accuracy,
            macro_f1, micro_f1, mcc (one label); micro_f1, macro_f1, accuracy (several);
            pearson, spearman (regression).
        label_separator: what parts several labels in a cell.
        class_weights: as `kbert.tasks.classification.class_weights` takes them; of
            training alone.
        weights: what `learned` made of them, one for each label; () if all are 1.
        header: names of the columns, for tables that have no header line.
        encoding: of the files.

    Raises:
        ValueError: another `problem_type` or `metric`, not one or two text columns, or
            class weights for anything but one label each.
    """

    labels: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ("text",)
    label_column: str = "label"
    sequence_length: int = 128
    problem_type: str = "single_label_classification"
    metric: str = ""
    label_separator: str = ","
    class_weights: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    header: tuple[str, ...] = ()
    encoding: str = "utf-8"

    outputs_per = "row"

    def __post_init__(self):
        if self.problem_type not in PROBLEMS:
            raise ValueError(
                f"Expected a problem_type out of {', '.join(PROBLEMS)}; got "
                f"{self.problem_type!r}."
            )
        metrics = self._problem.metrics
        if not self.metric:
            object.__setattr__(self, "metric", metrics[0])
        if self.metric not in metrics:
            raise ValueError(
                f"Expected a metric of {self.problem_type} ({', '.join(metrics)}); got "
                f"{self.metric!r}."
            )
        if len(self.text_columns) not in (1, 2):
            raise ValueError(
                "Expected one text column, or two for pairs; got "
                f"{len(self.text_columns)}: {', '.join(self.text_columns) or 'none'}."
            )
        if self.class_weights and self.problem_type != "single_label_classification":
            raise ValueError(
                "Expected class weights where each example has one label; the problem "
                f"is {self.problem_type}."
            )

    @property
    def num_texts(self) -> int:
        """Of a row: 1, or 2 for pairs."""
        return len(self.text_columns)

    @property
    def _problem(self):
        return PROBLEMS[self.problem_type]

    def to_config(self) -> dict:
        """Fields of `config.json`; the labels where transformers reads them too."""
        names = self.labels or ("score",)
        return {
            "problem_type": self.problem_type,
            "id2label": {str(i): label for i, label in enumerate(names)},
            "label2id": {label: i for i, label in enumerate(names)},
            "kbert": {
                "task": "text_classification",
                "text_columns": list(self.text_columns),
                "label_column": self.label_column,
                "sequence_length": self.sequence_length,
                "metric": self.metric,
                "label_separator": self.label_separator,
                "header": list(self.header),
            },
        }

    @classmethod
    def from_config(cls, config: dict) -> "TextClassification":
        """Reads `config.json`; without ours, the columns are `text` and `label`.

        Without a `problem_type`, one label is a regression, as in transformers.

        Raises:
            ValueError: the config is not a classifier's, or a regression of several.
        """
        architecture = (config.get("architectures") or ["BertModel"])[0]
        if architecture != "BertForSequenceClassification":
            raise ValueError(
                "Expected the directory of a text classifier; this one holds a "
                f"{architecture}. Make one with kbert finetune."
            )
        own = config.get("kbert", {})
        names = config.get("id2label") or {
            str(i): f"LABEL_{i}" for i in range(config.get("num_labels", 2))
        }
        labels = tuple(names[key] for key in sorted(names, key=int))
        by_default = "single_label_classification" if labels[1:] else "regression"
        problem_type = config.get("problem_type") or by_default
        if problem_type == "regression" and labels[1:]:
            raise ValueError(
                f"Expected a regression of one number; this one is of {len(labels)}: "
                f"{', '.join(labels)}."
            )
        return cls(
            labels=() if problem_type == "regression" else labels,
            text_columns=tuple(own.get("text_columns", ["text"])),
            label_column=own.get("label_column", "label"),
            sequence_length=own.get(
                "sequence_length", config.get("max_position_embeddings", 512)
            ),
            problem_type=problem_type,
            metric=own.get("metric", ""),
            label_separator=own.get("label_separator", ","),
            header=tuple(own.get("header", ())),
        )

    def read(self, source: str, is_labelled: bool = True) -> Iterator[TextExample]:
        """The examples of a table, or of `tfds:NAME`, one at a time.

            text <tab> label / 좋다 <tab> 1 -> TextExample(("좋다",), "1")

        Raises:
            ValueError: a missing column, text or label, a target that is no finite
                number, or, where the labels are known, another one; names the row.
        """
        columns = (*self.text_columns, *[self.label_column][: int(is_labelled)])
        records = read_records(source, self.encoding, self.header)
        for number, record in enumerate(records, 1):
            cells = fields(record, columns, source, number)
            place = f"row {number} of {source}"
            texts = tuple(
                text_of(cell, column, place)
                for cell, column in zip(cells, self.text_columns)
            )
            label = None
            if is_labelled:
                label = self._problem.gold(
                    cells[-1], self.label_separator, self.label_column, place
                )
                if self.labels:
                    self._problem.check(label, self.labels, place)
            yield TextExample(texts, label)

    def example(self, texts: tuple[str, ...], number: int) -> TextExample:
        """One text, or the two of a pair.

        Raises:
            ValueError: more texts, or fewer.
        """
        count = len(self.text_columns)
        if len(texts) != count:
            raise ValueError(
                f"Expected {'one text' if count == 1 else 'a pair of texts'}; example "
                f"{number} has {len(texts)}."
            )
        return TextExample(texts)

    def typed(self, line: str, number: int) -> TextExample:
        """A line of standard input: one text, or the two of a pair parted by a tab.

        Raises:
            ValueError: there is no tab where a pair is expected.
        """
        count = len(self.text_columns)
        texts = tuple(line.split("\t", count - 1))
        if len(texts) != count:
            raise ValueError(
                f"Expected {count} texts a line, parted by a tab; line {number} of "
                f"standard input has {len(texts)}."
            )
        return self.example(texts, number)

    def learned(self, examples: list[TextExample]) -> "TextClassification":
        """With the labels of the examples, sorted, and what each class counts.

        Raises:
            ValueError: fewer than two labels, an example without label or with one
                that is not among `labels` given before, or class weights that do not
                fit.
        """
        golds = self._golds(examples)
        if self.problem_type == "regression":
            return self
        labels = self.labels or tuple(sorted(self._problem.labels_in(golds)))
        if len(labels) < 2:
            only = f"only {labels[0]!r}" if labels else "none"
            raise ValueError(
                "Expected at least two different labels to tell apart; the column "
                f"{self.label_column} holds {only}."
            )
        weights = class_weights(self.class_weights, labels, golds)
        return dataclasses.replace(self, labels=labels, weights=weights)

    def group(self, example: TextExample) -> None:
        """Examples may be held out one by one."""

    def num_characters(self, example: TextExample) -> int:
        """Of all its texts."""
        return sum(map(len, example.texts))

    def build(self, backbone):
        """A `BertTextClassifier`: its outputs are (B, C), or (B, 1) for regression."""
        from kbert.models.text_classifier import BertTextClassifier

        check_segments(self.num_texts, backbone.num_segments)
        return BertTextClassifier(backbone, len(self.labels) or 1)

    def compile_arguments(self) -> dict:
        """Loss and metric; to be made in the scope of the strategy, as the model is."""
        return self._problem.compile_arguments(self.labels)

    def pack(self, examples: list[TextExample], tokenizer) -> PackedTexts:
        """Rows of [CLS] a [SEP] (b [SEP]), cut to `sequence_length`.

        Raises:
            ValueError: labels are missing from some of the examples, or are not among
                `labels`; names the row.
        """
        from kbert.text.preprocessor import BertPreprocessor

        preprocessor = BertPreprocessor(tokenizer, self.sequence_length)
        columns = [list(c) for c in zip(*(e.texts for e in examples), strict=True)]
        rows = pack_rows(preprocessor, columns)
        weights = np.ones(len(examples), "float32")
        if all(example.label is None for example in examples):
            template = self._problem.targets([], self.labels)
            targets = np.zeros((len(examples), *template.shape[1:]), template.dtype)
            return PackedTexts(rows, targets, weights)
        targets = self._problem.targets(self._golds(examples), self.labels)
        if self.weights:
            weights = np.array(self.weights, "float32")[targets]
        return PackedTexts(rows, targets, weights)

    def batch(self, packed: PackedTexts, rows: np.ndarray) -> tuple:
        """(inputs, targets, sample weights float32 (B,)) of some rows.

        The weights have the mean 1 in each batch: classes of weights 1, 1, 4 give 0.5,
        0.5, 2. Keras' mean over the batch is then sum(w loss) / sum(w), as in torch.
        """
        weights = packed.weights[rows]
        inputs = packed.rows.batch(rows)
        return inputs, packed.targets[rows], weights / weights.mean()

    def decode(self, outputs: np.ndarray, packed: PackedTexts) -> list[dict]:
        """Logits (rows, C) to one answer for each.

        {label, score, scores}: the likeliest, its probability, and those of all, which
        sum to 1; {labels, scores}: those above a half, and a probability of each;
        {score}: the number.
        """
        return self._problem.answers(outputs, self.labels)

    def files(self, answers: list[dict]) -> dict[str, str]:
        """predictions.jsonl, an answer a line."""
        return {"predictions.jsonl": json_lines(answers)}

    def score(
        self, answers: list[dict], examples: list[TextExample]
    ) -> dict[str, float]:
        """Scores, 0 to 1 or, for correlations, -1 to 1; `loss` in nats, `mse`.

        One label: accuracy, macro_f1, micro_f1, mcc, loss. Several: micro_f1, macro_f1,
        accuracy (all labels right), loss (mean over the labels). Regression: pearson,
        spearman, mse.

        Raises:
            ValueError: an example without label, or with one unknown; names the row.
        """
        return self._problem.scores(answers, self._golds(examples), self.labels)

    def floor(self, examples: list[TextExample]) -> float:
        """`metric` of the best answer that is the same for every example."""
        return self._problem.floors(self._golds(examples), self.labels)[self.metric]

    def calibrated(self, answers: list[dict], examples: list) -> "TextClassification":
        """Itself: there is no threshold to choose."""
        return self

    def _golds(self, examples):
        """The labels of the examples, checked."""
        for number, example in enumerate(examples, 1):
            place = f"row {number} of the examples"
            if example.label is None:
                raise ValueError(f"Expected a label for every text; {place} has none.")
            if self.labels or self.problem_type == "regression":
                self._problem.check(example.label, self.labels, place)
        return [example.label for example in examples]
