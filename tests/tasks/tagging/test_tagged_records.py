"""Records: tokens with tags, texts with spans, and all that can be wrong with them."""

import pytest

from kbert.tasks.tagging.tagged_records import tagged_record

SPAN = {"start": 0, "end": 2, "type": "LOC"}


def read(record, *columns, is_labelled=True):
    return tagged_record(record, "a.jsonl", 3, *columns, is_labelled=is_labelled)


def test_tokens():
    example = read({"tokens": ["Ulm", "ist"], "tags": ["B-LOC", "O"], "id": 7})
    assert (example.text, example.tags, example.id) == ("Ulm ist", ("B-LOC", "O"), "7")


def test_columns_of_tfds_conll2003():
    record = {"tokens": ["Ulm"], "pos": ["NNP"], "chunks": ["B-NP"], "ner": ["B-LOC"]}
    assert read(record).tags == ("B-LOC",)
    assert read(record, None, "pos").tags == ("NNP",)
    assert read(record, 0, -1).tags == ("B-LOC",)  # numbers are for files of columns
    assert read(record, "0", "-1").tags == ("B-LOC",)


def test_spans():
    example = read({"text": "울름은", "entities": [SPAN], "guid": "x"})
    assert example.tags == ("B-LOC", "I-LOC", "O")
    assert (example.granularity, example.id) == ("character", "x")
    labelled = {"start": 4, "end": 6, "label": "LOC", "text": "울름"}
    example = read({"s": "😀 (a울름", "e": [labelled]}, "s", "e")
    assert example.tags == ("O", "O", "O", "B-LOC", "I-LOC")


def test_spans_in_any_order():
    spans = [{"start": 4, "end": 5, "type": "B"}, {"start": 0, "end": 1, "type": "A"}]
    assert read({"text": "a b c", "entities": spans}).tags == ("B-A", "O", "B-B")


def test_without_labels():
    example = read({"text": "a b", "entities": "?"}, is_labelled=False)
    assert (example.tags, example.units) == (None, ((0, 1), (2, 3)))
    example = read({"tokens": ["a b", "c"]}, is_labelled=False)
    assert (example.tags, example.units) == (None, ((0, 3), (4, 5)))


@pytest.mark.parametrize(
    "record, message",
    [
        ({"a": 1}, "tokens or words or text; a.jsonl, record 3 has a. Name it with"),
        ({"text": "ab"}, "a column entities; .* --label-column"),
        ({"tokens": ["a"]}, "a column tags or ner_tags or ner"),
        ({"tokens": ["a"], "tags": [1]}, r"list of tags, each a string; .* has \[1\]"),
        ({"tokens": "a", "tags": []}, "a column entities"),
        ({"tokens": [""], "tags": ["O"]}, "words that are not empty; .*record 3"),
        ({"tokens": ["a"], "tags": [""]}, "tags that are not empty"),
        ({"tokens": ["a"], "tags": []}, "each of 1 words; .* record 3 has 0"),
        ({"text": "ab", "entities": "x"}, "each with \"start\".*has 'x'"),
        ({"text": "ab", "entities": [[0, 1, "X"]]}, 'each with "start"'),
        ({"text": "ab", "entities": [SPAN | {"type": ""}]}, 'a "type" in each entity'),
        (
            {"text": "ab", "entities": [SPAN | {"end": 3}]},
            "the 2 characters of the text",
        ),
        (
            {"text": "ab", "entities": [SPAN | {"start": -1}]},
            "record 3 has {'start': -1",
        ),
        ({"text": "ab", "entities": [SPAN | {"end": "2"}]}, "within the 2 characters"),
        ({"text": "ab", "entities": [SPAN | {"end": 0}]}, "at least one letter"),
        ({"text": "  ", "entities": [SPAN]}, "at least one letter"),
        (
            {"text": "abc", "entities": [SPAN, SPAN | {"start": 1, "end": 3}]},
            r"do not overlap.*'ab' \(0 to 2\) and 'bc' \(1 to 3\)",
        ),
        (
            {"text": "ab", "entities": [SPAN | {"text": "bc"}]},
            "Expected 'bc' at 0 to 2; .* has 'ab' there. Offsets count characters",
        ),
    ],
)
def test_bad_records(record, message):
    with pytest.raises(ValueError, match=message):
        read(record)
