"""Texts and their units: words, characters, spans, and the way between them."""

import pytest

from kbert.tasks.tagging.tagged_text import (
    TaggedText,
    cut_words,
    in_units,
    name_of,
    of_spans,
    of_text,
    of_words,
    word_units,
)


def pieces(example):
    return [example.text[start:limit] for start, limit in example.units]


def test_words_are_joined_by_one_space():
    example = of_words(["in", "New York", "😀", "."], ["O", "B-LOC", "O", "O"], "7")
    assert example.text == "in New York 😀 ."
    assert pieces(example) == ["in", "New York", "😀", "."]
    assert (example.tags, example.id) == (("O", "B-LOC", "O", "O"), "7")
    assert of_words([]).text == ""


@pytest.mark.parametrize(
    "text, words",
    [
        ('He said: "don\'t!"', ["He", "said", ":", '"', "don't", "!", '"']),
        ("U.S. 3.5% $5", ["U.S", ".", "3.5", "%", "$", "5"]),
        ("「서울」은\u3000곳…", ["「", "서울」은", "곳", "…"]),
        ("... a", [".", ".", ".", "a"]),
        ("  \n\t ", []),
        ("", []),
        ("a\u2028b\xa0c", ["a", "b", "c"]),
        ("a€ 😀", ["a€", "😀"]),  # symbols beyond ASCII are no punctuation to BERT
    ],
)
def test_words_of_a_text(text, words):
    assert [text[start:limit] for start, limit in word_units(text)] == words
    assert of_text(text).units == word_units(text)


def test_spans_along_words():
    example = of_spans("Ulm ist schön", [("LOC", 0, 3)])
    assert pieces(example) == ["Ulm", "ist", "schön"]
    assert example.tags == ("B-LOC", "O", "O")
    assert example.granularity == "word"


def test_spans_that_cut_words():
    example = of_spans("울름은", [("LOC", 0, 2)], "3")
    assert pieces(example) == ["울", "름", "은"]
    assert example.tags == ("B-LOC", "I-LOC", "O")
    assert (example.granularity, example.id) == ("character", "3")
    assert cut_words(example) == ["울름"]


def test_spans_next_to_each_other_and_white_space_at_their_ends():
    example = of_spans("김이박 씨", [("PS", 0, 1), ("PS", 1, 2), ("X", 3, 5)])
    assert example.tags == ("B-PS", "B-PS", "O", "B-X")
    assert in_units(of_spans(" a b ", [("X", 0, 3)]), "character").tags == ("B-X", "O")


def test_punctuation_is_a_unit_of_its_own_for_spans():
    example = of_spans("(Ulm, Bonn)", [("LOC", 1, 4), ("LOC", 6, 10)])
    assert pieces(example) == ["(", "Ulm", ",", "Bonn", ")"]
    assert example.tags == ("O", "B-LOC", "O", "B-LOC", "O")


def test_by_characters_and_back():
    words = of_words(["New", "York", "an"], ["B-LOC", "I-LOC", "O"], "1")
    characters = in_units(words, "character")
    assert pieces(characters) == list("NewYorkan")
    assert characters.tags == ("B-LOC", *["I-LOC"] * 6, "O", "O")
    assert in_units(characters, "word") == words
    assert in_units(words, "word") is words


def test_plain_tags_by_characters():
    example = in_units(of_words(["ab", "c"], ["NOUN", "X"]), "character")
    assert example.tags == ("NOUN", "NOUN", "X")


def test_without_tags():
    example = in_units(of_text("a bc!"), "character")
    assert pieces(example) == ["a", "b", "c", "!"]
    assert example.tags is None
    assert in_units(example, "word") == of_text("a bc!")


def test_an_entity_that_cuts_a_word_by_words():
    example = of_spans("철수는 왔다", [("PS", 0, 2)])
    with pytest.raises(
        ValueError, match="the text '철수는 왔다' has '철수' within one"
    ):
        in_units(example, "word")


def test_as_many_tags_as_units():
    with pytest.raises(ValueError, match="each of 1 units; example 4 has 2"):
        TaggedText("a", ((0, 1),), ("O", "O"), "4")


def test_names_of_examples():
    assert name_of(of_text("a" * 50)) == f"the text '{'a' * 40}…'"
    assert name_of(of_text("a", "5")) == "example 5"
