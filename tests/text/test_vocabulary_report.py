import json
import pathlib

import pytest

from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.tokenizer import BertTokenizer
from kbert.text.vocabulary_report import format_report, vocabulary_report

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIAL, "em", "##bed", "a", "!"]


def test_the_example_by_hand():
    assert vocabulary_report(ReferenceTokenizer(TOKENS), ["embed! a", "ax"]) == {
        "num_texts": 2,
        "num_words": 3,
        "num_pieces": 5,
        "pieces_per_word": 5 / 3,
        "character_coverage": 3 / 9,
        "unknown_piece_rate": 1 / 5,
        "unknown_word_rate": 1 / 3,
        "vocabulary_size": 9,
        "num_used_tokens": 4,
        "longest_pieces": [
            {"token": "##bed", "count": 1},
            {"token": "em", "count": 1},
            {"token": "!", "count": 1},
            {"token": "a", "count": 1},
        ],
        "longest_words": [
            {"word": "embed!", "count": 1, "pieces": ["em", "##bed", "!"]},
            {"word": "ax", "count": 1, "pieces": ["[UNK]"]},
            {"word": "a", "count": 1, "pieces": ["a"]},
        ],
        "most_split_words": [
            {"word": "embed!", "count": 1, "pieces": ["em", "##bed", "!"]},
            {"word": "a", "count": 1, "pieces": ["a"]},
            {"word": "ax", "count": 1, "pieces": ["[UNK]"]},
        ],
        "unknown_words": [{"word": "ax", "count": 1}],
    }


def test_korean_by_hand():
    tokens = [*SPECIAL, "학교", "##에", "##서", "간", "##다", "."]
    texts = ["학교에서\u00a0간다.\n", "", "학교에 뷁! 간다."]
    report = vocabulary_report(ReferenceTokenizer(tokens), iter(texts))
    # 학교 ##에 ##서 | 간 ##다 . | 학교 ##에 | [UNK] [UNK] | 간 ##다 .
    assert (report["num_texts"], report["num_words"]) == (3, 5)
    assert report["num_pieces"] == 13
    assert report["unknown_piece_rate"] == 2 / 13
    assert report["unknown_word_rate"] == 1 / 5
    # 학 and 교 twice, 뷁 and ! are not in it, of 학교에서간다.학교에뷁!간다.
    assert report["character_coverage"] == (15 - 6) / 15
    assert report["unknown_words"] == [{"word": "뷁!", "count": 1}]
    assert report["most_split_words"][0] == {
        "word": "간다.",
        "count": 2,
        "pieces": ["간", "##다", "."],
    }


def test_equal_to_counting_the_tokens_of_the_texts():
    tokenizer = ReferenceTokenizer(DATA / "text_vocabulary.txt", lowercase=True)
    lines = (DATA / "text_sample_ko.txt").read_text("utf-8").split("\n")
    report = vocabulary_report(tokenizer, lines)
    ids = [id for text_ids in tokenizer(lines) for id in text_ids]
    assert report["num_pieces"] == len(ids)
    unknown = ids.count(tokenizer.vocabulary.unknown_id)
    assert report["unknown_piece_rate"] == unknown / len(ids)
    assert report["num_words"] == len(" ".join(lines).split())
    assert len(report["longest_words"]) == 10
    assert vocabulary_report(tokenizer, lines) == report
    in_graph = BertTokenizer(tokenizer.vocabulary, lowercase=True)
    assert vocabulary_report(in_graph, lines) == report


def test_what_is_cleaned_away_is_no_word():
    report = vocabulary_report(ReferenceTokenizer(TOKENS), ["a \u200b a\u200b"])
    assert report["num_words"] == 2
    assert report["unknown_word_rate"] == 0
    assert report["unknown_words"] == []


def test_it_reads_well_and_is_json():
    report = vocabulary_report(ReferenceTokenizer(TOKENS), ["embed! a", "a" * 99])
    assert json.loads(json.dumps(report)) == report
    lines = format_report(report).split("\n")
    assert lines[:6] == [
        "2 texts, 3 words, 5 pieces",
        "  pieces per word         1.667",
        "  characters covered      95.283%",
        "  pieces that are unknown 20.000%",
        "  words with an unknown   33.333%",
        "  tokens used             4 of 9",
    ]
    assert "  embed! = 3: em ##bed !" in lines
    assert lines[-2:] == [
        "most frequent words with an unknown:",
        "  " + "a" * 39 + "… x 1",
    ]
    assert "unknown:" not in format_report(
        vocabulary_report(ReferenceTokenizer(TOKENS), ["a"])
    )


def test_errors():
    tokenizer = ReferenceTokenizer(TOKENS)
    with pytest.raises(ValueError, match="iterable of strings; got the string 'a b'"):
        vocabulary_report(tokenizer, "a b")
    for texts in ([], ["", " \u3000\n"], ["\u200b"]):
        with pytest.raises(ValueError, match="texts with words in them; got none"):
            vocabulary_report(tokenizer, texts)
    with pytest.raises(ValueError, match="Tokenizer or a BertTokenizer; got list"):
        vocabulary_report(TOKENS, ["a"])
