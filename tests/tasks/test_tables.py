"""Tables: quotes, byte order marks, ragged rows, missing columns."""

import pytest

from kbert.tasks.tables import chunked, read_columns, read_rows


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_tsv_keeps_quotes(tmp_path):
    file = write(tmp_path / "a.tsv", 'id\ttext\n1\t"좋다" 하고, 말했다\n2\t"열린\n')
    assert list(read_rows(file)) == [
        {"id": "1", "text": '"좋다" 하고, 말했다'},
        {"id": "2", "text": '"열린'},
    ]


def test_csv_reads_quotes(tmp_path):
    text = 'text,label\n"a, ""b""\nc",1\n\nplain,0\n'
    assert list(read_rows(write(tmp_path / "a.csv", text))) == [
        {"text": 'a, "b"\nc', "label": "1"},
        {"text": "plain", "label": "0"},
    ]


def test_jsonl(tmp_path):
    text = '{"text": "a\\tb", "label": 1}\n\n{"label": true, "text": "글"}\n'
    assert list(read_rows(write(tmp_path / "a.jsonl", text))) == [
        {"text": "a\tb", "label": "1"},
        {"text": "글", "label": "true"},
    ]


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.tsv", "text\tlabel\r\na\t1\r\n\r\nb\t0"),
        ("a.txt", "text\tlabel\na\t1\nb\t0\n"),
        ("a.csv", "text,label\r\na,1\r\nb,0\r\n"),
        ("a.jsonl", '{"text": "a", "label": "1"}\n{"text": "b", "label": "0"}'),
    ],
)
def test_a_byte_order_mark_is_dropped(tmp_path, name, text):
    file = write(tmp_path / name, text, "utf-8-sig")
    expected = [{"text": "a", "label": "1"}, {"text": "b", "label": "0"}]
    assert list(read_rows(file)) == expected


def test_columns_in_the_order_asked_for(tmp_path):
    file = write(tmp_path / "a.tsv", "id\ttext\tlabel\n7\t좋다\t1\n8\t\t0\n")
    assert list(read_columns(file, ("label", "text"))) == [("1", "좋다"), ("0", "")]


@pytest.mark.parametrize(
    "name, text, message",
    [
        (
            "a.tsv",
            "text\tlabel\na\t1\nb\n",
            r"2 columns \(text, label\); .*line 3 has 1",
        ),
        ("a.tsv", "text\tlabel\na\tb\t1\n", "line 2 has 3"),
        ("a.csv", "text,label\na,1\na, b,1\n", "line 3 has 3"),
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', "one JSON object a line; .*line 2: "),
        ("a.jsonl", "[1]\n", "line 1 holds a list"),
        ("a.tsv", "", "Expected a header and rows of text; .* has none"),
        ("a.csv", "", "Expected a header and rows of text; .* has none"),
        ("a.jsonl", "\n", "Expected a header and rows of text; .* has none"),
        ("a.tsv", "text\tlabel\n", "Expected a header and rows of text; .* has none"),
        ("a.xlsx", "x", r"Expected \.tsv and \.txt .*; got .*a\.xlsx"),
    ],
)
def test_errors_name_the_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        list(read_rows(write(tmp_path / name, text)))


def test_a_missing_column_lists_those_that_are_there(tmp_path):
    file = write(tmp_path / "a.tsv", "id\tdocument\tlabel\n1\ta\t0\n")
    message = "columns text, label in .*row 1 has id, document, label, no text"
    with pytest.raises(ValueError, match=message):
        list(read_columns(file, ("text", "label")))


def test_a_missing_column_of_one_json_row(tmp_path):
    file = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"label": "1"}\n')
    with pytest.raises(ValueError, match="row 2 has label, no text"):
        list(read_columns(file, ("text",)))


def test_cp949_is_refused_by_line(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_bytes(b"text\tlabel\n" + "안녕\t1\n".encode("cp949"))
    with pytest.raises(ValueError, match=r"a\.tsv, line 2 holds.*reads as CP949"):
        list(read_rows(file))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.tsv does not exist"):
        list(read_rows(tmp_path / "a.tsv"))


def test_chunked():
    assert list(chunked("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(chunked([], 2)) == []
