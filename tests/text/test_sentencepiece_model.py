import pathlib
import random
import subprocess
import sys

import pytest

from kbert.text.sentencepiece_model import (
    CONTROL,
    NORMAL,
    UNKNOWN,
    USER_DEFINED,
    as_base64,
    read_model,
    vocabulary_of,
)

FILE = pathlib.Path(__file__).parents[1] / "data" / "sentencepiece.model"


def made(*pieces, pad_id=None):
    """A model file of (spelling, kind) pairs, with empty settings."""
    data = b""
    for spelling, kind in pieces:
        spelling = spelling.encode()
        body = bytes([0x0A, len(spelling)]) + spelling + b"\x15\0\0\0\0"
        body += bytes([0x18, kind]) if kind != NORMAL else b""
        data += bytes([0x0A, len(body)]) + body
    trainer = b"" if pad_id is None else bytes([0xD8, 0x02, pad_id])
    return data + bytes([0x12, len(trainer)]) + trainer + b"\x1a\0"


def test_pieces_and_kinds():
    model = read_model(FILE)
    assert model.pieces[:6] == ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "▁")
    assert model.kinds[:6] == (
        UNKNOWN,
        CONTROL,
        CONTROL,
        CONTROL,
        USER_DEFINED,
        NORMAL,
    )
    assert len(model.pieces) == len(model.kinds) == 1000 and model.pad_id == 1
    assert read_model(as_base64(model)) == read_model(FILE.read_bytes()) == model


def test_special_tokens_made_text_and_back():
    data = made(("<unk>", UNKNOWN), ("[SEP]", USER_DEFINED), ("a", NORMAL))
    model = read_model(data)
    special = ("<unk>", "[SEP]", "[MASK]")
    hidden = model.with_special_tokens(special, ())
    assert hidden.pieces == model.pieces
    assert hidden.kinds == (UNKNOWN, CONTROL, NORMAL)
    assert read_model(hidden.data) == hidden
    typed = model.with_special_tokens(special, special)
    assert typed.pieces == ("<unknown>", "[SEP]", "a", "<unk>", "[MASK]")
    assert typed.kinds == (UNKNOWN, USER_DEFINED, NORMAL, USER_DEFINED, USER_DEFINED)
    assert read_model(typed.data) == typed
    assert model.with_special_tokens((), ()).data == data


def test_special_tokens_spelled_otherwise():
    special = [("<pad>", CONTROL), ("[CLS]", CONTROL), ("[SEP]", CONTROL)]
    model = read_model(
        made(("<unk>", UNKNOWN), *special, ("<mask>", USER_DEFINED), pad_id=1)
    )
    vocabulary = vocabulary_of(model, mask_token="<mask>")
    assert vocabulary.special_tokens == ("<pad>", "<unk>", "[CLS]", "[SEP]", "<mask>")
    with pytest.raises(ValueError, match=r"has no \[MASK\]. Pass mask_token="):
        vocabulary_of(model)


@pytest.mark.parametrize("size", [1, 7, 300, 5000, -5])
def test_part_of_a_file(size):
    with pytest.raises(ValueError, match="whole SentencePiece model.*Copy or download"):
        read_model(FILE.read_bytes()[:size])


def test_damaged_bytes_are_refused_or_do_no_harm():
    """No other exception than ours; and an edited model can be read again."""
    whole = FILE.read_bytes()
    draw, refused = random.Random(0), 0
    for number in range(400):
        data = bytearray(draw.randbytes(50) if number % 4 == 0 else whole)
        for _ in range(draw.choice((1, 1, 3, 10))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            model = read_model(bytes(data))
        except ValueError as error:
            assert str(error).startswith("Expected a whole SentencePiece model")
            refused += 1
        else:
            edited = model.with_special_tokens(("[SEP]", "[X]"), ("[X]",))
            assert read_model(edited.data).pieces == edited.pieces
    assert 200 < refused < 400


def test_what_is_not_known_of_a_file_is_kept():
    """A later version's fields: of a piece (200), of the trainer (99), of all (4)."""
    piece = b"\x0a\x01b\x15\0\0\x80\x3f\xc0\x0c\x05"
    data = made(("<unk>", UNKNOWN)) + bytes([0x0A, len(piece)]) + piece
    data += b"\x12\x03\x98\x06\x07" + b"\x22\x02\x0a\0"
    edited = read_model(data).with_special_tokens(("b",), ())
    assert edited.kinds == (UNKNOWN, CONTROL)
    for kept in (b"\0\0\x80\x3f", b"\xc0\x0c\x05", b"\x98\x06\x07", b"\x22\x02\x0a\0"):
        assert kept in edited.data


def test_without_tensorflow_and_sentencepiece():
    program = (
        "import sys; from kbert.text.sentencepiece_model import read_model; "
        "assert 'google.protobuf' not in sys.modules; read_model(sys.argv[1]); "
        "print(sys.modules.keys() & {'tensorflow', 'keras', 'sentencepiece'})"
    )
    command = [sys.executable, "-c", program, str(FILE)]
    assert subprocess.check_output(command, text=True) == "set()\n"


@pytest.mark.parametrize(
    "data",
    [
        b"[PAD]\n[UNK]\n[CLS]\n",
        b"\xff" * 100,
        b"\x08\x05",
        b"{}",
        b"\x12\0\x1a\0",
        b"{" * 200,
    ],
)
def test_another_file(tmp_path, data):
    path = tmp_path / "a.model"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"Expected a whole SentencePiece.*a\.model"):
        read_model(path)


def test_no_file(tmp_path):
    (tmp_path / "a.model").touch()
    with pytest.raises(ValueError, match=r"a\.model: empty"):
        read_model(tmp_path / "a.model")
    with pytest.raises(FileNotFoundError, match="path of a SentencePiece model, its"):
        read_model(tmp_path / "b.model")
