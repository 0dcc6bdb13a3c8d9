"""Files of tagged texts in each format, and what can be wrong with them."""

import json
import warnings

import pytest

from kbert.tasks.tagging.tagged_files import read_tagged

KLUE = """\
## 컬럼명 : CHAR\tNE_TAG
## dev-0\t<김:PS> 씨 #<서울 역:LC>
김\tB-PS
 \tO
씨\tO
 \tO
#\tO
서\tB-LC
울\tI-LC
 \tI-LC
역\tI-LC

## dev-1\t😀
😀\tO
"""


def write(tmp_path, text, name="a.conll", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def read(path, *columns, encoding="utf-8", **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(read_tagged(path, encoding, *columns, **kwargs))


def both(examples):
    return [(example.text, example.tags) for example in examples]


@pytest.mark.parametrize("separator", ["\t", " ", "  "])
def test_two_columns(tmp_path, separator):
    text = "\nUlm B-LOC\nan O\n\n\n😀 O\n\n".replace(" ", separator)
    examples = read(write(tmp_path, text))
    assert both(examples) == [("Ulm an", ("B-LOC", "O")), ("😀", ("O",))]
    assert {example.granularity for example in examples} == {"word"}


def test_conll_2003(tmp_path):
    text = """\
-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
an IN I-PP O

-DOCSTART-

Ulm NNP I-NP I-LOC
Bonn NNP I-NP B-LOC
"""
    path = write(tmp_path, text)
    assert both(read(path)) == [
        ("EU an", ("B-ORG", "O")),
        ("Ulm Bonn", ("B-LOC", "B-LOC")),  # IOB1
    ]
    assert both(read(path, 0, 1))[0] == ("EU an", ("NNP", "IN"))
    assert both(read(path, "0", "-2"))[1] == ("Ulm Bonn", ("B-NP", "I-NP"))


def test_conllu(tmp_path):
    text = """\
# sent_id = 1
# text = vado al # mare
1\tvado\tandare\tVERB
2-3\tal\t_\t_
2\ta\ta\tADP
3\til\til\tDET
4\t#\t#\tSYM
4.1\tx\tx\tVERB
5\tmare\tmare\tNOUN

# text = ciao
1\tciao\tciao\tINTJ
"""
    assert both(read(write(tmp_path, text))) == [
        ("vado a il # mare", ("VERB", "ADP", "DET", "SYM", "NOUN")),
        ("ciao", ("INTJ",)),
    ]


def test_a_hash_with_a_tag_is_a_word(tmp_path):
    text = "# a comment\na O\n# O\n#tag B-X\n# another one here\n"
    assert both(read(write(tmp_path, text))) == [("a # #tag", ("O", "O", "B-X"))]


def test_naver(tmp_path):
    text = "1\t김씨는\tPER_B\n2\t5월\tDAT_B\n3\t3일\tDAT_I\n4\t.\t-\n\n1\t갔다\t-\n"
    assert both(read(write(tmp_path, text, "a.tsv"))) == [
        ("김씨는 5월 3일 .", ("B-PER", "B-DAT", "I-DAT", "O")),
        ("갔다", ("O",)),
    ]


def test_numbers_that_do_not_count_words_are_words(tmp_path):
    text = "1\tNUM\tO\n3\tNUM\tO\n"
    assert both(read(write(tmp_path, text)))[0][0] == "1 3"


def test_white_space_of_unicode_is_no_separator(tmp_path):
    assert read(write(tmp_path, "a\u3000b O\nc O\n"))[0].units == ((0, 3), (4, 5))


def test_byte_order_mark_line_ends_and_cp949(tmp_path):
    path = write(tmp_path, "\ufeff서울\tB-LC\r\n역\tO\r\n")
    assert both(read(path)) == [("서울 역", ("B-LC", "O"))]
    path = write(tmp_path, "서울\tB-LC\n", encoding="cp949")
    assert both(read(path, encoding="cp949")) == [("서울", ("B-LC",))]
    with pytest.raises(ValueError, match="--encoding cp949"):
        read(path)


def test_klue(tmp_path):
    first, second = read(write(tmp_path, KLUE, "a.tsv"))
    assert (first.text, first.id, first.granularity) == (
        "김 씨 #서울 역",
        "dev-0",
        "character",
    )
    # White space is no unit, and does not cut an entity.
    assert [first.text[a:b] for a, b in first.units] == list("김씨#서울역")
    assert first.tags == ("B-PS", "O", "O", "B-LC", "I-LC", "I-LC")
    assert both([second]) == [("😀", ("O",))]


def test_klue_entity_that_begins_with_white_space(tmp_path):
    text = "## 0\tx\n가\tB-LC\n \tB-LC\n나\tI-LC\n다\tI-LC\n"
    (example,) = read(write(tmp_path, text))
    assert example.tags == ("B-LC", "B-LC", "I-LC")


def test_klue_without_labels(tmp_path):
    first, _ = read(write(tmp_path, KLUE, "a.tsv"), is_labelled=False)
    assert first.tags is None
    assert len(first.units) == 6


def test_json(tmp_path):
    record = {"text": "울름은", "entities": [{"start": 0, "end": 2, "type": "LOC"}]}
    path = write(tmp_path, json.dumps(record) + "\n", "a.jsonl")
    assert both(read(path)) == [("울름은", ("B-LOC", "I-LOC", "O"))]
    records = [{"tokens": ["a", "b"], "tags": ["X-B", "O"]}]
    path = write(tmp_path, json.dumps(records), "a.json")
    assert both(read(path)) == [("a b", ("B-X", "O"))]


@pytest.mark.parametrize(
    "name, text, texts",
    [
        ("a.txt", "He is here.\n\nUlm\n", ["He is here.", "", "Ulm"]),
        ("a.txt", "two words\ntwo words\n", ["two words", "two words"]),
        ("a.txt", "a O\nb O\n\nc O\nd O\ne O\n", ["a b", "c d e"]),
        ("a.txt", "a\tO\nb\tO\n\nc\tO\n", ["a b", "c"]),
        ("a.tsv", "id\ttext\n1\ta b\n", ["a b"]),
        ("a.csv", 'id,text\n1,"a, b"\n', ["a, b"]),
        ("a.jsonl", '{"text": "a b"}\n', ["a b"]),
        ("a.conll", "a\nb\n\nc\n", ["a b", "c"]),
        ("a.tsv", "1\ta\n2\tb\n\n1\tc\n", ["a b", "c"]),
    ],
)
def test_texts_without_labels(tmp_path, name, text, texts):
    examples = read(write(tmp_path, text, name), is_labelled=False)
    assert [example.text for example in examples] == texts
    assert {example.tags for example in examples} == {None}


def test_broken_tags_are_read_by_conllevals_rules(tmp_path):
    text = "a B-X\nb I-X\n\nc O\nd I-X\ne Q-X\nf B-Y\n"
    path = write(tmp_path, text)
    expected = r"a.conll: 2 tags out of the order of BIO \(first: 'I-X' in line 5\)"
    with pytest.warns(UserWarning, match=expected):
        examples = list(read_tagged(path))
    assert both(examples)[1] == ("c d e f", ("O", "B-X", "I-X", "B-Y"))
    record = {"tokens": ["a", "b", "c"], "tags": ["B-X", "I-Y", "B-Y"]}
    path = write(tmp_path, json.dumps(record), "a.jsonl")
    with pytest.warns(UserWarning, match=r"1 tag out .*'I-Y' in record 1"):
        list(read_tagged(path))


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\tO\nb\tO\tO\n", "Expected 2 columns.*line 2 has 3: 'b\\\\tO\\\\tO'"),
        ("a\tO\nb O\n", "Expected 2 columns.*line 2 has 2: 'b O'"),
        ("a O\nb\n", "line 2 has 1: 'b'"),
        ("a\n", "line 1 has 1 column: 'a'. Part columns"),
        ("a\tO\n\t\t\nb\t\n", "line 3 has 'b' and ''"),
        (" \tO\n", "line 1 has ' ' and 'O'.*begins with a line of ##"),
        ("\n\n", "Expected sentences, a word a line; .*a.conll has none"),
        ("", "has none"),
        ("## 0\tx\na\tO\nab\tO\n", "a tab and its tag.*line 3 has 'ab\\\\tO'"),
        ("## 0\tx\na\tO\nb\n", "line 3 has 'b'"),
        ("## 0\tx\na\tO\nb\t\n", "line 3 has 'b\\\\t'"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path, text))


def test_columns_that_are_not_there(tmp_path):
    path = write(tmp_path, "a\tO\n")
    with pytest.raises(ValueError, match="words in column 2.*line 1 has 2 columns"):
        read(path, 2)
    with pytest.raises(ValueError, match="tags in column -3"):
        read(path, 0, -3)
    with pytest.raises(ValueError, match="number of a column.*got 'word'"):
        read(path, "word")
    with pytest.raises(FileNotFoundError, match="nothing.conll does not exist"):
        read(str(tmp_path / "nothing.conll"))


def test_a_stream_is_read_piece_by_piece(tmp_path):
    path = write(tmp_path, "a\tO\n\n" * 3000 + "a\n")
    examples = read_tagged(path)
    assert next(examples).text == "a"  # the last line has not been seen
    with pytest.raises(ValueError, match="line 6001"):
        list(examples)
