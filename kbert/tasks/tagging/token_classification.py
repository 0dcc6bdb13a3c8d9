"""One tag for each word or character of a text: names, parts of speech."""

import collections
import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from kbert.metrics.entities import entities_of, entity_scores
from kbert.tasks.tagging.tag_schemes import labels_of, recognised, tags_of
from kbert.tasks.tagging.tag_scores import (
    CHARACTER_METRICS,
    ENTITY_METRICS,
    PLAIN_METRICS,
    as_entities,
    character_tag_scores,
    plain_tag_scores,
    word_tag_scores,
)
from kbert.tasks.tagging.tagged_files import read_tagged
from kbert.tasks.tagging.tagged_rows import (
    TaggedRows,
    pack_tagged,
    targets_and_weights,
    unit_classes,
    unit_tags,
)
from kbert.tasks.tagging.tagged_text import (
    GRANULARITIES,
    TaggedText,
    entities_in,
    entity_dict,
    in_units,
    name_of,
    of_text,
)
from kbert.tasks.task import json_lines


@dataclasses.dataclass(frozen=True)
class TokenClassification:
    """What a tagger's directory has to know beside the weights.

    Attributes:
        labels: the tag of each class, in the order of the logits. BIO where entities
            are tagged; tags without letters (parts of speech) are classes as they are.
        granularity: the units that have tags, "word" or "character"; None: learned,
            "character" if an entity of the training examples cuts a word.
        sequence_length: tokens of a row; longer texts are laid under several windows.
        stride: tokens from one window to the next; None: half of a window's room.
        metric: "f1", "precision", "recall" of entities, "macro_f1" over their types (of
            tags without letters: over the tags), "accuracy" of the units' tags; by
            characters also "klue_character_f1" and "klue_character_f1_as_published".
            None: learned, "f1" or, without entities, "accuracy".
        word_column: number or name of the words' column; see `read_tagged`.
        tag_column: of the tags'.
        encoding: of the files.
    """

    labels: tuple[str, ...] = ()
    granularity: str | None = None
    sequence_length: int = 128
    stride: int | None = None
    metric: str | None = None
    word_column: int | str | None = None
    tag_column: int | str | None = None
    encoding: str = "utf-8"

    outputs_per: ClassVar[str] = "token"
    num_texts: ClassVar[int] = 1

    def __post_init__(self):
        if self.granularity not in (None, *GRANULARITIES):
            raise ValueError(
                f"Expected the granularity {' or '.join(GRANULARITIES)}; got "
                f"{self.granularity!r}."
            )
        room = self.sequence_length - 2
        if room < 1 or (self.stride is not None and not 1 <= self.stride <= room):
            raise ValueError(
                "Expected a sequence_length of at least 3, and a stride of 1 to what "
                "[CLS] and [SEP] leave of it; got a sequence_length of "
                f"{self.sequence_length} and a stride of {self.stride}."
            )
        if self.metric not in (None, *self._metrics()):
            raise ValueError(
                f"Expected a metric out of {', '.join(self._metrics())}; got "
                f"{self.metric!r}."
            )

    @property
    def tags_entities(self) -> bool:
        """Whether the labels are those of entities, and not plain tags."""
        return recognised([self.labels]).form != "plain"

    @property
    def canonical_labels(self) -> list[str]:
        """The labels with their letter in front; those learned here have it there."""
        scheme = recognised([self.labels])
        return [scheme.canonical(label) for label in self.labels]

    @property
    def window_stride(self) -> int:
        """Tokens from one window to the next; half of a window's room by default."""
        return self.stride or max(1, (self.sequence_length - 2) // 2)

    def _metrics(self):
        """What `metric` may be; before labels and granularity are known, all."""
        if self.labels and not self.tags_entities:
            return PLAIN_METRICS
        if self.granularity == "word":
            return ENTITY_METRICS
        return CHARACTER_METRICS

    def to_config(self) -> dict:
        """Fields of `config.json`; the labels where transformers reads them too."""
        own = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("labels", "encoding")
        }
        return {
            "id2label": {str(i): label for i, label in enumerate(self.labels)},
            "label2id": {label: i for i, label in enumerate(self.labels)},
            "kbert": {"task": "token_classification", **own},
        }

    @classmethod
    def from_config(cls, config: dict) -> "TokenClassification":
        """Reads `config.json`; one by transformers tags words, in any scheme."""
        own = {"granularity": "word"} | config.get("kbert", {})
        fields = {field.name for field in dataclasses.fields(cls)}
        names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        labels = tuple(names[key] for key in sorted(names, key=int))
        arguments = {key: value for key, value in own.items() if key in fields}
        arguments.setdefault(
            "sequence_length", config.get("max_position_embeddings", 512)
        )
        task = cls(labels, **arguments)
        return task._with_metric()

    def read(self, source: str, is_labelled: bool = True) -> Iterator[TaggedText]:
        """The examples of a file or of a dataset; see `read_tagged`."""
        return read_tagged(
            source, self.encoding, self.word_column, self.tag_column, is_labelled
        )

    def example(self, texts: tuple[str, ...], number: int) -> TaggedText:
        """A text.

        Raises:
            ValueError: several.
        """
        if len(texts) != 1:
            raise ValueError(f"Expected one text; example {number} has {len(texts)}.")
        return of_text(texts[0])

    def typed(self, line: str, number: int) -> TaggedText:
        """A line of standard input, which is a text."""
        return self.example((line,), number)

    def learned(self, examples: list[TaggedText]) -> "TokenClassification":
        """The task with labels, granularity and metric.

        Raises:
            ValueError: examples without tags or with one and the same tag, or a metric
                that such examples do not have.
        """
        for example in examples:
            _check_tagged(example)
        labels = labels_of(tag for example in examples for tag in example.tags)
        if len(labels) < 2:
            raise ValueError(
                "Expected at least two different tags to tell apart; the "
                f"{len(examples)} examples have {', '.join(labels) or 'none'}."
            )
        by_characters = any(e.granularity == "character" for e in examples)
        granularity = self.granularity or ("character" if by_characters else "word")
        task = dataclasses.replace(self, labels=labels, granularity=granularity)
        return task._with_metric()

    def _with_metric(self):
        metric = self.metric or ("f1" if self.tags_entities else "accuracy")
        return dataclasses.replace(self, metric=metric)

    def group(self, example: TaggedText) -> None:
        """Examples stand alone."""
        return

    def num_characters(self, example: TaggedText) -> int:
        """Of the text."""
        return len(example.text)

    def build(self, backbone):
        """A `BertTokenClassifier`."""
        from kbert.models.token_classifier import BertTokenClassifier

        return BertTokenClassifier(backbone, len(self.labels))

    def compile_arguments(self) -> dict:
        """Cross-entropy; the accuracy along training is that of what counts."""
        import keras

        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "weighted_metrics": [
                keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            ],
        }

    def pack(self, examples: list[TaggedText], tokenizer) -> TaggedRows:
        """Windows of tokens, and the class of those that answer for a unit.

        Warns of tags that were not there in training: they are not trained on, and
        count as wrong.
        """
        examples = [in_units(example, self.granularity) for example in examples]
        numbers = {tag: i for i, tag in enumerate(self.canonical_labels)}
        if self.tags_entities:  # a foreign model's may have no B-
            numbers = {
                f"B-{t[2:]}": i for t, i in numbers.items() if t != "O"
            } | numbers
        classes = unit_classes(examples, numbers)
        return pack_tagged(
            examples, classes, tokenizer, self.sequence_length, self.window_stride
        )

    def batch(self, packed: TaggedRows, rows: np.ndarray) -> tuple[dict, ...]:
        """(inputs, targets int32 (B, L), weights float32 (B, L)) of some rows.

        The weights average to 1 over all B L entries, so that the loss is the mean over
        the tokens that count: where 3 of 2 x 8 do, their weights are 16/3.
        """
        inputs = packed.rows.batch(rows)
        return inputs, *targets_and_weights(packed, rows, inputs["padding_mask"] == 1)

    def decode(self, outputs: np.ndarray, packed: TaggedRows) -> list[dict]:
        """Tags and entities of each example.

        Where no token was made of a unit, its tag is O (of plain tags, the first).

        Args:
            outputs: float32 (N, C), logits in the order of `packed.rows.token_ids`.

        Returns: dicts of "entities": "type", "text", "start" and "end" in characters of
            the text, and "score", the mean over its units of the probability of their
            tags; "units", what each tag stands for; and "tags".
        """
        labels = self.canonical_labels
        tags, scores = unit_tags(np.asarray(outputs), packed, labels)
        # In a foreign model's labels, which are answered in BIO all the same.
        has_ends = self.tags_entities and any(t[:2] in ("E-", "S-") for t in labels)
        answers, start = [], 0
        for example in packed.examples:
            own = slice(start, start + len(example.units))
            own_tags = tags[own].tolist()
            if has_ends:
                own_tags = tags_of(entities_of(own_tags), len(own_tags))
            answers.append(self._answer(example, own_tags, scores[own]))
            start = own.stop
        return answers

    def _answer(self, example, tags, scores):
        entities = entities_in(example, tags) if self.tags_entities else []
        return {
            "entities": [
                entity_dict(example, kind, start, end)
                | {"score": float(scores[first:last].mean())}
                for kind, first, last, start, end in entities
            ],
            "units": [example.text[start:limit] for start, limit in example.units],
            "tags": tags,
        }

    def gold_entities(self, example: TaggedText) -> list[dict]:
        """The entities of a labelled example, as in an answer but without scores."""
        if not self.tags_entities:
            return []
        example = in_units(example, self.granularity)
        found = entities_in(example, example.tags)
        return [entity_dict(example, kind, *span) for kind, _, _, *span in found]

    def files(self, answers: list[dict]) -> dict[str, str]:
        """predictions.jsonl, an answer a line."""
        return {"predictions.jsonl": json_lines(answers)}

    def score(
        self, answers: list[dict], examples: list[TaggedText]
    ) -> dict[str, float]:
        """The scores named under `metric`, 0 to 1; see `tagging.tag_scores`."""
        true, said = self._sides(answers, examples)
        if not self.tags_entities:
            return plain_tag_scores(true, said)
        if self.granularity == "word":
            return word_tag_scores(true, said)
        return character_tag_scores(true, said, self.labels)

    def by_type(self, answers: list[dict], examples: list[TaggedText]) -> dict:
        """For each type of entity, or each plain tag, sorted, how well it was found.

        Returns: dicts of "precision", "recall", "f1" and "support", the true ones.
        """
        sides = self._sides(answers, examples)
        if not self.tags_entities:
            sides = map(as_entities, sides)
        return entity_scores(*sides)["by_type"]

    def _sides(self, answers, examples):
        true = []
        for example in examples:
            _check_tagged(example)
            true.append(in_units(example, self.granularity).tags)
        return true, [answer["tags"] for answer in answers]

    def floor(self, examples: list[TaggedText]) -> float:
        """The score of the most frequent tag on every unit: 0 for f1, if that is O."""
        tags = [in_units(example, self.granularity).tags for example in examples]
        counts = collections.Counter(tag for own in tags for tag in own)
        tag = max(sorted(counts), key=counts.get, default="O")
        answers = [{"tags": [tag] * len(own)} for own in tags]
        return self.score(answers, examples)[self.metric]

    def calibrated(
        self, answers: list[dict], examples: list[TaggedText]
    ) -> "TokenClassification":
        """The task itself: it has no threshold."""
        return self


def _check_tagged(example):
    if example.tags is None:
        raise ValueError(f"Expected examples with tags; {name_of(example)} has none.")
