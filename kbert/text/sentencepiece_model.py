"""A SentencePiece model's file, read and edited without the library that made it.

The file is a protocol buffer, `ModelProto` of google/sentencepiece's
`sentencepiece_model.proto`. What a tokenizer must know of it stands in the field 1,
one entry per piece: its spelling (field 1 of the entry) and its kind (field 3).
"""

import base64
import dataclasses
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary, as_vocabulary

WORD_START = "\u2581"  # what a piece has where the text has a space

# Kinds of pieces. A control piece is never found in a text; a user-defined one always
# is, as a whole, wherever it stands.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto
_SPELLING, _KIND = 1, 3  # fields of one piece
_PAD_ID = 43  # field of the trainer's settings; -1 (unset) means there is none
_LENGTH_DELIMITED, _VARINT = 2, 0  # wire types
_FIXED = {1: 8, 5: 4}  # wire types of numbers, and their bytes


@dataclasses.dataclass(frozen=True)
class SentencePieceModel:
    """A model file and its pieces.

    Attributes:
        data: the file's bytes.
        pieces: the spellings, in the order of the ids; a space is "▁".
        kinds: NORMAL, UNKNOWN, CONTROL, … of each piece; exactly one is UNKNOWN.
        pad_id: the padding piece the model was trained with, or None.
    """

    data: bytes
    pieces: tuple[str, ...]
    kinds: tuple[int, ...]
    pad_id: int | None

    def special_spellings(self, wanted: dict[str, str]) -> dict[str, str]:
        """How the five special tokens are spelled among the pieces.

        The unknown token is the piece of this kind. A pad token that is not there as
        wanted is the one that the model was trained with. The others are as wanted.

            pieces <unk> <pad> [CLS] [SEP] [MASK], wanted [UNK] [PAD] [CLS] … ->
                {"unknown_token": "<unk>", "pad_token": "<pad>", "cls_token": "[CLS]", …

        Args:
            wanted: from `pad_token`, `unknown_token`, … to spellings.
        """
        found = wanted | {"unknown_token": self.pieces[self.kinds.index(UNKNOWN)]}
        if wanted["pad_token"] not in self.pieces and self.pad_id is not None:
            found["pad_token"] = self.pieces[self.pad_id]
        return found

    def with_special_tokens(
        self, special: tuple[str, ...], typed: tuple[str, ...]
    ) -> "SentencePieceModel":
        """The model with special tokens that are found in a text, or never are.

            pieces <unk> [SEP] a, special ([SEP], [MASK]), typed () ->
                [SEP] becomes a control piece: "[SEP]" in a text is text
            typed ([MASK],) -> pieces <unk> [SEP] a [MASK], the last one user-defined

        The piece of the kind UNKNOWN is never found, whatever its spelling: where that
        is in `typed`, a piece of the same spelling is added and the old one renamed.

        Args:
            special: spellings that shall be no ordinary piece.
            typed: those of them that shall be found in a text.
        """
        pieces, kinds = list(self.pieces), list(self.kinds)
        for i, piece in enumerate(pieces):
            if kinds[i] == UNKNOWN and piece in typed:
                pieces[i] = _unused_spelling(self.pieces)
            elif kinds[i] != UNKNOWN and piece in special:
                kinds[i] = USER_DEFINED if piece in typed else CONTROL
        added = [token for token in typed if token not in pieces]
        parts, number = [], 0
        for field, wire, value, raw in _fields(self.data):
            if field == _PIECES and wire == _LENGTH_DELIMITED:
                if (pieces[number], kinds[number]) != (
                    self.pieces[number],
                    self.kinds[number],
                ):
                    raw = _edited_piece(value, pieces[number], kinds[number])
                number += 1
            parts.append(raw)
        parts += [_edited_piece(b"", token, USER_DEFINED) for token in added]
        return SentencePieceModel(
            b"".join(parts),
            tuple(pieces + added),
            tuple(kinds + [USER_DEFINED] * len(added)),
            self.pad_id,
        )


def read_model(model: str | bytes | os.PathLike) -> SentencePieceModel:
    """Reads a SentencePiece model.

    Args:
        model: the path of a `.model` file, its bytes, or these as base64 text.

    Raises:
        FileNotFoundError: a string that is neither a file nor base64 text.
        ValueError: an empty file, or one that is no whole SentencePiece model.
    """
    if isinstance(model, bytes):
        return _parsed(model, "the bytes given")
    if os.path.isfile(model):
        return _parsed(Path(model).read_bytes(), str(model))
    try:
        data = base64.b64decode(str(model), validate=True)
        return _parsed(data, "the base64 text given")
    except ValueError:
        shown = str(model) if len(str(model)) <= 200 else f"{str(model)[:50]}…"
        raise FileNotFoundError(
            "Expected the path of a SentencePiece model, its bytes, or these as base64 "
            f"text; {shown!r} is none of them."
        ) from None


def as_base64(model: SentencePieceModel) -> str:
    """The file as text, for a config; `read_model` takes it back."""
    return base64.b64encode(model.data).decode("ascii")


def vocabulary_of(
    model: SentencePieceModel, vocabulary=None, **special_tokens: str
) -> Vocabulary:
    """The tokens and ids that a network was trained with.

    They are the model's pieces in their order, unless a list of its own maps pieces to
    ids. KoBERT has one: its model file has 8,000 pieces and no [CLS]; its list holds
    [UNK] [PAD] [CLS] [SEP] [MASK], then the 7,997 pieces that text can give, sorted.

    Args:
        model: from `read_model`.
        vocabulary: None for the pieces themselves; or that list: what a tokenizer
            accepts as a vocabulary, or GluonNLP's `vocab.json` by its path.
        **special_tokens: `pad_token=...` and so on, where they are spelled otherwise
            than [PAD], [UNK], [CLS], [SEP], [MASK]; a `Vocabulary` knows its own.

    Raises:
        ValueError: a special token is not there, or the list lacks pieces of the model.
    """
    wanted = SPECIAL_TOKENS | special_tokens
    if vocabulary is None:
        spellings = model.special_spellings(wanted)
        missing = [
            name for name in SPECIAL_TOKENS if spellings[name] not in model.pieces
        ]
        if missing:
            raise ValueError(
                "Expected special tokens among the pieces of the SentencePiece model; "
                f"it has no {', '.join(spellings[name] for name in missing)}. Pass "
                f"{missing[0]}=... if it is spelled otherwise there, or vocabulary=... "
                "if a list beside the model gives the ids, as KoBERT's vocab.txt does."
            )
        return Vocabulary(model.pieces, **spellings)
    if isinstance(vocabulary, str | os.PathLike):
        if str(vocabulary).endswith(".json"):
            vocabulary = _read_gluonnlp(vocabulary)
        else:
            vocabulary = Vocabulary.read(vocabulary, **wanted)
    elif not isinstance(vocabulary, Vocabulary | dict):
        vocabulary = Vocabulary(vocabulary, **wanted)
    vocabulary = as_vocabulary(vocabulary)
    missing = [
        piece
        for piece, kind in zip(model.pieces, model.kinds, strict=True)
        if kind not in (UNKNOWN, CONTROL) and piece not in vocabulary
    ]
    if missing:
        raise ValueError(
            "Expected a vocabulary with every piece of the SentencePiece model; "
            f"{len(missing)} of {len(model.pieces)} are missing, {missing[0]!r} for "
            "one. It belongs to another model."
        )
    return vocabulary


def _read_gluonnlp(path):
    """KoBERT's `vocab.json`: `idx_to_token`, and how special tokens are spelled."""
    try:
        stored = json.loads(Path(path).read_text("utf-8"))
        tokens = stored["idx_to_token"]
        names = dict.fromkeys(SPECIAL_TOKENS) | {"pad_token": "padding_token"}
        special = {ours: stored.get(theirs or ours) for ours, theirs in names.items()}
        return Vocabulary(tokens, **{k: v for k, v in special.items() if v})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            'Expected a GluonNLP vocabulary, a JSON object with "idx_to_token", in '
            f"{path}; {type(error).__name__}: {error}."
        ) from None


def _parsed(data, source):
    if not data:
        raise ValueError(f"Expected a SentencePiece model; {source}: empty.")
    pieces, kinds, pad_id, seen = [], [], None, set()
    try:
        for field, wire, value, _ in _fields(data):
            seen.add((field, wire))
            if (field, wire) == (_PIECES, _LENGTH_DELIMITED):
                entry = {number: content for number, _, content, _ in _fields(value)}
                pieces.append(entry[_SPELLING].decode("utf-8"))
                kinds.append(entry.get(_KIND, NORMAL))
            elif (field, wire) == (_TRAINER, _LENGTH_DELIMITED):
                settings = {number: content for number, _, content, _ in _fields(value)}
                pad_id = settings.get(_PAD_ID)
    except (ValueError, KeyError, AttributeError, IndexError):
        seen.clear()
    parts = {(part, _LENGTH_DELIMITED) for part in (_PIECES, _TRAINER, _NORMALIZER)}
    if not parts <= seen or kinds.count(UNKNOWN) != 1:
        raise ValueError(
            f"Expected a whole SentencePiece model (a .model file); {source}: none, or "
            "only part of one. Copy or download it again."
        )
    if pad_id is not None and not 0 <= pad_id < len(pieces):
        pad_id = None
    return SentencePieceModel(data, tuple(pieces), tuple(kinds), pad_id)


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes, bytes]]:
    """The fields of a protocol buffer: number, wire type, value, and the bytes of all.

    b"\\x08\\x05" -> (1, 0, 5, b"\\x08\\x05")

    Raises:
        ValueError, IndexError: the bytes end too early, or are something else.
    """
    position = 0
    while position < len(data):
        start = position
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
        else:
            if wire == _LENGTH_DELIMITED:
                size, position = _varint(data, position)
            elif wire in _FIXED:
                size = _FIXED[wire]
            else:
                raise ValueError(f"wire type {wire}")
            value = data[position : position + size]
            position += size
            if position > len(data):
                raise ValueError("truncated")
        yield field, wire, value, data[start:position]


def _varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _edited_piece(entry: bytes, piece: str, kind: int) -> bytes:
    """One piece as a field of the model: another spelling and kind, all else kept."""
    spelling = piece.encode("utf-8")
    kept = [raw for n, _, _, raw in _fields(entry) if n not in (_SPELLING, _KIND)]
    if not kept:
        kept = [b"\x15" + struct.pack("<f", 0.0)]  # the score, field 2
    body = b"\x0a" + _as_varint(len(spelling)) + spelling + b"".join(kept)
    body += b"\x18" + _as_varint(kind)
    return b"\x0a" + _as_varint(len(body)) + body


def _as_varint(value):
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def _unused_spelling(pieces):
    spelling = "<unknown>"
    while spelling in pieces:
        spelling += "_"
    return spelling
