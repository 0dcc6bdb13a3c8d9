"""One text or a pair of texts, and one label out of several."""

import dataclasses
from pathlib import Path

from kbert.tasks.tables import read_columns


@dataclasses.dataclass(frozen=True)
class TextClassification:
    """What a classifier's directory has to know beside the weights.

    Attributes:
        labels: the label of each class, in the order of the logits.
        text_columns: one column of a file, or two for pairs.
        label_column: the column of the answer.
        sequence_length: tokens that a text, or a pair, is cut to.
    """

    labels: tuple[str, ...]
    text_columns: tuple[str, ...]
    label_column: str
    sequence_length: int

    @classmethod
    def learn(
        cls, path: str | Path, text_columns, label_column: str, sequence_length: int
    ) -> "TextClassification":
        """Takes the labels from a training file, sorted.

        Raises:
            ValueError: not one or two text columns, a missing column, an empty label,
                or fewer than two different labels.
        """
        text_columns = tuple(text_columns)
        if len(text_columns) not in (1, 2):
            raise ValueError(
                "Expected one text column, or two for pairs; got "
                f"{len(text_columns)}: {', '.join(text_columns) or 'none'}."
            )
        labels = set()
        columns = (*text_columns, label_column)
        for number, row in enumerate(read_columns(path, columns), 1):
            if not row[-1]:
                raise ValueError(
                    f"Expected a label in the column {label_column}; row {number} of "
                    f"{path} has none."
                )
            labels.add(row[-1])
        if len(labels) < 2:
            raise ValueError(
                "Expected at least two different labels to tell apart; the column "
                f"{label_column} of {path} holds only {labels.pop()!r}."
            )
        return cls(tuple(sorted(labels)), text_columns, label_column, sequence_length)

    def to_config(self) -> dict:
        """Fields of `config.json`; the labels where transformers reads them too."""
        return {
            "problem_type": "single_label_classification",
            "id2label": {str(i): label for i, label in enumerate(self.labels)},
            "label2id": {label: i for i, label in enumerate(self.labels)},
            "kbert": {
                "task": "text_classification",
                "text_columns": list(self.text_columns),
                "label_column": self.label_column,
                "sequence_length": self.sequence_length,
            },
        }

    @classmethod
    def from_config(cls, config: dict) -> "TextClassification":
        """Reads `config.json`; without ours, the columns are `text` and `label`.

        Raises:
            ValueError: the config is not a classifier's.
        """
        architecture = (config.get("architectures") or ["BertModel"])[0]
        if architecture != "BertForSequenceClassification":
            raise ValueError(
                "Expected the directory of a text classifier; this one holds a "
                f"{architecture}. Make one with kbert finetune."
            )
        own = config.get("kbert", {})
        names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        return cls(
            tuple(names[key] for key in sorted(names, key=int)),
            tuple(own.get("text_columns", ["text"])),
            own.get("label_column", "label"),
            own.get("sequence_length", config.get("max_position_embeddings", 512)),
        )

    def read_examples(self, path: str | Path) -> tuple[list[list[str]], list[int]]:
        """A labelled file: the text columns, and the class of each row.

        Raises:
            ValueError: a missing column, or a label unseen in training; it is named.
        """
        classes = {label: i for i, label in enumerate(self.labels)}
        texts, answers = [], []
        columns = (*self.text_columns, self.label_column)
        for number, (*text, label) in enumerate(read_columns(path, columns), 1):
            if label not in classes:
                raise ValueError(
                    f"Expected one of the labels of training ({', '.join(self.labels)})"
                    f"; row {number} of {path} says {label!r}."
                )
            texts.append(text)
            answers.append(classes[label])
        return [list(column) for column in zip(*texts, strict=True)], answers

    def answers(self, probabilities) -> list[dict]:
        """Rows of probabilities (B, C) in words: label, score, and all the scores."""
        return [
            {
                "label": self.labels[int(row.argmax())],
                "score": float(row.max()),
                "scores": dict(zip(self.labels, map(float, row), strict=True)),
            }
            for row in probabilities
        ]
