"""Sources: quotes, byte order marks, encodings, ragged rows, missing columns."""

import itertools
import json

import pytest

from kbert.tasks.data.records import fields, parsed_json, read_records, text_lines


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_tsv_keeps_quotes(tmp_path):
    file = write(tmp_path / "a.tsv", 'id\ttext\n1\t"좋다" 하고, 말했다\n2\t"열린\n')
    assert list(read_records(file)) == [
        {"id": "1", "text": '"좋다" 하고, 말했다'},
        {"id": "2", "text": '"열린'},
    ]


def test_csv_reads_quotes_and_line_breaks_in_them(tmp_path):
    text = 'text,label\n"a, ""b""\nc",1\n\nplain,0\n"d\r\ne",1\r\n'
    assert list(read_records(write(tmp_path / "a.csv", text))) == [
        {"text": 'a, "b"\nc', "label": "1"},
        {"text": "plain", "label": "0"},
        {"text": "d\r\ne", "label": "1"},
    ]


def test_json_values_keep_their_types(tmp_path):
    records = [
        {"text": "a\tb", "label": 1, "score": 0.5, "extra": None},
        {"label": True, "text": "글", "labels": ["x", "y"], "in": {"a": {"b": 2}}},
    ]
    lines = "\n\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    assert list(read_records(write(tmp_path / "a.jsonl", lines))) == records
    array = json.dumps(records, indent=4, ensure_ascii=False)
    assert list(read_records(write(tmp_path / "a.json", array))) == records
    under_data = json.dumps({"version": "1.1", "data": records})
    assert list(read_records(write(tmp_path / "b.json", under_data))) == records


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.tsv", "text\tlabel\r\na\t1\r\n\r\nb\t0"),
        ("a.txt", "text\tlabel\na\t1\nb\t0\n"),
        ("a.csv", "text,label\r\na,1\r\nb,0\r\n"),
        ("a.csv", '"text","label"\n"a","1"\n"b","0"'),
        ("a.jsonl", '{"text": "a", "label": "1"}\n{"text": "b", "label": "0"}'),
        ("a.json", '[{"text": "a", "label": "1"}, {"text": "b", "label": "0"}]'),
    ],
)
def test_a_byte_order_mark_is_dropped(tmp_path, name, text):
    file = write(tmp_path / name, text, "utf-8-sig")
    expected = [{"text": "a", "label": "1"}, {"text": "b", "label": "0"}]
    assert list(read_records(file)) == expected
    assert list(read_records(file, "utf-8-sig")) == expected


@pytest.mark.parametrize(
    "name, text", [("a.tsv", "gj04\t1\t\t좋다\n"), ("a.csv", 'gj04,1,,"좋다"\n')]
)
def test_columns_named_by_the_caller(tmp_path, name, text):
    header = ("source", "label", "mark", "text")
    assert list(read_records(write(tmp_path / name, text), header=header)) == [
        {"source": "gj04", "label": "1", "mark": "", "text": "좋다"}
    ]


@pytest.mark.parametrize(
    "name, text, message",
    [
        (
            "a.tsv",
            "text\tlabel\na\t1\nb\n",
            r"2 columns \(text, label\); .*a\.tsv, line 3 has 1",
        ),
        ("a.tsv", "text\tlabel\na\tb\t1\n", "line 2 has 3"),
        ("a.tsv", "text\tlabel\n\na\n", "line 3 has 1"),
        ("a.tsv", "text\tlabel\ttext\na\t1\tb\n", "line 1 has text more than once"),
        ("a.csv", "text,text\na,1\n", "line 1 has text more than once"),
        ("a.csv", "text,label\na,1\na, b,1\n", "line 3 has 3"),
        ("a.csv", 'text,label\n"a\nb",1\n"c\nd",1,2\n', "line 4 has 3"),
        ("a.csv", 'text,label\na,1\nb,"never\nclosed,1\n', "RFC 4180 .*line 3: unexp"),
        ("a.csv", 'text,label\n"a"b,1\n', "RFC 4180 .*line 2: ',' expected after"),
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', "one JSON object a line; .*line 2: "),
        ("a.jsonl", "[1]\n", "line 1 holds a list"),
        ("a.json", '[{"a": 1},\n{"a": ]', r"array of objects; .*a\.json: .*line 2"),
        ("a.json", '{"a": 1}\n{"a": 2}', r"One object a line is called \.jsonl"),
        ("a.json", '{"rows": []}', '"data"; .* has neither'),
        ("a.json", '[{"a": 1}, 2]', r"element 2 of .*a\.json is a int"),
        ("a.json", '{"data": [{"paragraphs": []}]}', "question answering reads this"),
        ("a.tsv", "", "Expected a header and rows of text; .* has none"),
        ("a.csv", "", "Expected a header and rows of text; .* has none"),
        ("a.jsonl", "\n", "Expected a header and rows of text; .* has none"),
        ("a.json", "", "Expected a header and rows of text; .* has none"),
        ("a.json", "[]", "Expected a header and rows of text; .* has none"),
        ("a.tsv", "text\tlabel\n", "Expected a header and rows of text; .* has none"),
        ("a.xlsx", "x", r"Expected \.tsv and \.txt .*; got .*a\.xlsx"),
    ],
)
def test_errors_name_the_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        list(read_records(write(tmp_path / name, text)))


@pytest.mark.parametrize(
    "name, header, row, broken",
    [
        ("a.tsv", "text\tlabel\n", "a\t1\n", "b\n"),
        ("a.csv", "text,label\n", "a,1\n", "b\n"),
        ("a.jsonl", "", '{"text": "a", "label": "1"}\n', "{\n"),
    ],
)
def test_files_are_read_one_record_at_a_time(tmp_path, name, header, row, broken):
    records = read_records(write(tmp_path / name, header + row * 999 + broken))
    first = list(itertools.islice(records, 999))
    assert first == [{"text": "a", "label": "1"}] * 999
    with pytest.raises(ValueError, match=rf"line {1001 if header else 1000}\b"):
        next(records)


def test_cp949_is_refused_with_the_flag_that_reads_it(tmp_path):
    for name, text in [
        ("a.tsv", "text\tlabel\n안녕\t1\n"),
        ("a.csv", "text,label\n안녕,1\n"),
        (
            "a.jsonl",
            '{"text": "hello", "label": "0"}\n{"text": "안녕", "label": "1"}\n',
        ),
    ]:
        file = write(tmp_path / name, text, "cp949")
        message = (
            rf"Expected UTF-8; .*{name}, line 2 holds the byte 0xbe at position \d+\. "
            r"The line reads as CP949: pass --encoding cp949 \(encoding='cp949'\)\."
        )
        with pytest.raises(ValueError, match=message):
            list(read_records(file))
        assert list(read_records(file, encoding="cp949"))[-1] == {
            "text": "안녕",
            "label": "1",
        }


def test_utf_8_read_as_cp949_is_refused_with_the_flag(tmp_path):
    file = write(tmp_path / "a.txt", "a\n안녕하세요\n")
    message = r"Expected CP949; .*a\.txt, line 2 .*pass --encoding utf-8 "
    with pytest.raises(ValueError, match=message):
        list(text_lines(file, "cp949"))


def test_bytes_without_meaning_in_either(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(ValueError, match="byte 0xff at position 0. Convert .*UTF-8"):
        list(text_lines(tmp_path / "a.txt"))


def test_text_lines(tmp_path):
    file = write(tmp_path / "a.conll", "\ufeff가\tO\r\n\n  나\tB \n")
    assert list(text_lines(file)) == ["가\tO", "", "  나\tB "]


@pytest.mark.parametrize(
    "encoding, message",
    [
        ("klingon", "Python knows, such as utf-8 or cp949; got 'klingon'"),
        ("rot13", "Python knows, .*got 'rot13'"),
        ("utf-16", r"one byte 0x0a, .*iconv -f utf-16 -t utf-8 .*> utf8\.txt"),
    ],
)
def test_encodings_out_of_reach(tmp_path, encoding, message):
    with pytest.raises(ValueError, match=message):
        list(text_lines(write(tmp_path / "a.txt", "a\n"), encoding))


def test_no_file(tmp_path):
    for read in (read_records, text_lines):
        with pytest.raises(FileNotFoundError, match=r"a\.tsv does not exist"):
            list(read(tmp_path / "a.tsv"))


def test_fields_in_the_order_asked_for():
    record = {"id": 7, "a.b": 1, "labels": {"label": 4.9, "real-label": None}}
    names = ("labels.real-label", "id", "a.b", "labels.label")
    assert fields(record, names, "a.json", 1) == (None, 7, 1, 4.9)


def test_a_missing_column_lists_those_that_are_there():
    record = {"id": "1", "document": "a", "labels": {"score": 1, "kind": {"a": 2}}}
    message = (
        r"columns text, labels\.x in a\.tsv; row 3 has id, document, labels\.score, "
        r"labels\.kind\.a, no text, labels\.x\. Name .* --text-column and --label-col"
    )
    with pytest.raises(ValueError, match=message):
        fields(record, ("text", "labels.x"), "a.tsv", 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"a": "x\ud83dy", "b": ["\uDE00"]}', {"a": "x\ufffdy", "b": ["\ufffd"]}),
        (r'{"a": "\ud83d\ude00", "n": 1.5}', {"a": "😀", "n": 1.5}),
        (r'{"a": "\\ud83d"}', {"a": r"\ud83d"}),
        ('{"a": "가 �"}', {"a": "가 �"}),
    ],
)
def test_halves_of_surrogate_pairs(text, expected):
    assert parsed_json(text) == expected


def test_a_half_in_a_file(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a\\ud800b"}\n', "utf-8")
    assert list(read_records(file)) == [{"text": "a\ufffdb"}]
