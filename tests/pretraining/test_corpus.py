"""Text files to documents: both layouts, byte order mark, encodings, empty files."""

import pytest

from kbert.pretraining.corpus import documents, split_sentences


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_one_sentence_per_line(tmp_path):
    file = write(tmp_path / "a.txt", "First one.\n second one \n\nOther.\n\n\nLast\n")
    expected = [["First one.", "second one"], ["Other."], ["Last"]]
    assert list(documents([file])) == expected


def test_paragraphs_without_empty_lines_are_documents(tmp_path):
    file = write(tmp_path / "a.txt", "One. Two! Three?\n그렇다. 정말? 응\n")
    assert list(documents([file])) == [
        ["One.", "Two!", "Three?"],
        ["그렇다.", "정말?", "응"],
    ]


def test_paragraphs_parted_by_empty_lines(tmp_path):
    file = write(tmp_path / "a.txt", "One. Two.\nThree. Four.\n\nFive. Six.\n")
    assert list(documents([file])) == [
        ["One.", "Two.", "Three.", "Four."],
        ["Five.", "Six."],
    ]


def test_the_layout_is_told_by_the_mean_of_the_lines(tmp_path):
    # 3 lines, 5 sentences: below 2 a line, so lines are sentences.
    file = write(tmp_path / "a.txt", "Mr. Kim came. He left.\nThen.\nNothing.\n")
    assert list(documents([file])) == [
        ["Mr. Kim came. He left.", "Then.", "Nothing."],
    ]


def test_byte_order_mark_and_carriage_returns_are_dropped(tmp_path):
    file = write(tmp_path / "a.txt", "One\r\n\r\nTwo\r\n", "utf-8-sig")
    assert list(documents([file])) == [["One"], ["Two"]]


def test_a_document_never_spans_two_files(tmp_path):
    a = write(tmp_path / "a.txt", "One\nTwo")
    b = write(tmp_path / "b.txt", "Three")
    assert list(documents([a, b])) == [["One", "Two"], ["Three"]]


def test_each_file_has_its_own_layout(tmp_path):
    a = write(tmp_path / "a.txt", "One. Two.\nThree. Four.\n")
    b = write(tmp_path / "b.txt", "Five\nSix\n")
    assert list(documents([a, b])) == [
        ["One.", "Two."],
        ["Three.", "Four."],
        ["Five", "Six"],
    ]


@pytest.mark.parametrize(
    "paragraph, expected",
    [
        ("그렇다. 정말? 응", ["그렇다.", "정말?", "응"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("3.14 is pi", ["3.14 is pi"]),
        ("。 ！ 뭐", ["。", "！", "뭐"]),
        ("", []),
        ("  ", []),
    ],
)
def test_split_sentences(paragraph, expected):
    assert split_sentences(paragraph) == expected


def test_cp949_is_refused_by_file_and_line(tmp_path):
    file = tmp_path / "old.txt"
    file.write_bytes(b"first\n" + "안녕".encode("cp949"))
    message = r"Expected UTF-8; .*old\.txt, line 2 holds.*reads as CP949: iconv"
    with pytest.raises(ValueError, match=message):
        list(documents([file]))


@pytest.mark.parametrize("text", ["", "\n \n\n"])
def test_an_empty_file_is_refused_by_name(tmp_path, text):
    file = write(tmp_path / "nothing.txt", text)
    with pytest.raises(ValueError, match=r"Expected text; the file .*nothing\.txt"):
        list(documents([file]))
