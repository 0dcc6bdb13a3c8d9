import io
import subprocess
import sys
from pathlib import Path

import pytest

from kbert.commands.tokenize import tokenize

DATA = Path(__file__).parents[1] / "data"


def test_a_table_of_korean():
    (table,) = tokenize(["나는 학교에 갔다! é"], offsets=True)
    assert table.split("\n") == [
        "나는 학교에 갔다! é",
        "     id  token  start  limit  text",
        "   3978  나는       0      2  나는",
        "   4076  학교       3      5  학교",
        "   2433  ##에       5      6  에",
        "    193  갔         7      8  갔",
        "   1875  ##다       8      9  다",
        "      5  !          9     10  !",
        "    100  é         11     12  é",
    ]


def test_pieces_and_ids_of_each_text():
    path = str(DATA / "bert-base-uncased.txt")
    assert list(tokenize(["Embeddings", "[MASK] é"], path, lowercase=True)) == [
        "em ##bed ##ding ##s\n7861 8270 4667 2015",
        "[ mask ] e\n1031 7308 1033 1041",
    ]
    (line,) = tokenize(["a[MASK]"], path, special_tokens_in_text=True)
    assert line == "a [MASK]\n1037 103"
    (google,) = tokenize(["a\ue000"], path)
    (rust,) = tokenize(["a\ue000"], path, compatibility="huggingface")
    assert (google, rust) == ("[UNK]\n100", "a\n1037")


def test_lines_of_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("나는\r\n학교\n"))
    assert list(tokenize()) == ["나는\n3978", "학교\n4076"]


def test_a_sentencepiece_model():
    (table,) = tokenize(["나는 학교"], str(DATA / "sentencepiece.model"), offsets=True)
    rows = [line.split() for line in table.split("\n")[2:]]
    assert "".join(row[-1] for row in rows) == "나는학교"


def test_needs_no_tensorflow():
    code = (
        "import sys; from kbert.commands.tokenize import tokenize\n"
        "list(tokenize(['가']))\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DATA.parents[1])


def test_unknown_vocabulary():
    with pytest.raises(FileNotFoundError, match="the name of a preset; nope is"):
        tokenize(["a"], "nope")
