"""A SentencePiece model's file, read and edited without the library that made it.

The file is a protocol buffer, `ModelProto` of google/sentencepiece's
`sentencepiece_model.proto`. Of its fields only those are declared here that a tokenizer
must know; protobuf keeps the others as they are, and writes them back.
"""

import base64
import dataclasses
import functools
import json
import os
from pathlib import Path

from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary, as_vocabulary

WORD_START = "\u2581"  # what a piece has where the text has a space

# Kinds of pieces. A control piece is never found in a text; a user-defined one always
# is, as a whole, wherever it stands.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4

# Message -> its fields: name, number, label and type. A spelling is declared as bytes,
# which are the same in the file, because protobuf does not check that it is UTF-8.
_SCHEMA = {
    "Piece": (
        ("spelling", 1, "OPTIONAL", "BYTES"),
        ("score", 2, "OPTIONAL", "FLOAT"),
        ("kind", 3, "OPTIONAL", "INT32"),  # unset: NORMAL
    ),
    "Trainer": (("pad_id", 43, "OPTIONAL", "INT32"),),  # -1: there is none
    "Normalizer": (),
    "Model": (
        ("pieces", 1, "REPEATED", "Piece"),
        ("trainer", 2, "OPTIONAL", "Trainer"),
        ("normalizer", 3, "OPTIONAL", "Normalizer"),
    ),
}


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

            >>> pieces = ("<unk>", "<pad>", "[CLS]", "[SEP]", "[MASK]")
            >>> kinds = (UNKNOWN, CONTROL, CONTROL, CONTROL, CONTROL)
            >>> model = SentencePieceModel(b"", pieces, kinds, pad_id=1)
            >>> model.special_spellings(SPECIAL_TOKENS)
            {'pad_token': '<pad>', 'unknown_token': '<unk>', 'cls_token': '[CLS]', ...}

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

        A "[SEP]" in a text is text if it becomes a control piece, of the kind 3; one
        that is user-defined, of the kind 4, is found:

            >>> data = _message_class()(pieces=[{}, {}, {}]).SerializeToString()
            >>> pieces, kinds = ("<unk>", "[SEP]", "a"), (UNKNOWN, NORMAL, NORMAL)
            >>> model = SentencePieceModel(data, pieces, kinds, pad_id=None)
            >>> model.with_special_tokens(("[SEP]", "[MASK]"), ()).kinds
            (2, 3, 1)
            >>> edited = model.with_special_tokens(("[SEP]", "[MASK]"), ("[MASK]",))
            >>> edited.pieces, edited.kinds
            (('<unk>', '[SEP]', 'a', '[MASK]'), (2, 3, 1, 4))

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
        edited = _message_class().FromString(self.data)
        for entry, piece, kind in zip(edited.pieces, pieces, kinds, strict=True):
            entry.spelling = piece.encode("utf-8")
            if (entry.kind or NORMAL) != kind:
                entry.kind = kind
        for token in added:
            edited.pieces.add(spelling=token.encode("utf-8"), kind=USER_DEFINED)
        return SentencePieceModel(
            edited.SerializeToString(),
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
            accepts as a vocabulary, or GluonNLP's `vocab.json` by its path. Added
            tokens stand in it, too, behind the pieces as a rule.
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
    from google.protobuf.message import DecodeError

    try:
        stored = _message_class().FromString(data)
        pieces = [entry.spelling.decode("utf-8") for entry in stored.pieces]
        kinds = [entry.kind or NORMAL for entry in stored.pieces]
        spelled = all(entry.HasField("spelling") for entry in stored.pieces)
        is_whole = stored.HasField("trainer") and stored.HasField("normalizer")
    except (DecodeError, UnicodeDecodeError):
        spelled = is_whole = False
    if not (spelled and is_whole) or kinds.count(UNKNOWN) != 1:
        raise ValueError(
            f"Expected a whole SentencePiece model (a .model file); {source}: none, or "
            "only part of one. Copy or download it again."
        )
    pad_id = stored.trainer.pad_id if stored.trainer.HasField("pad_id") else -1
    if not 0 <= pad_id < len(pieces):
        pad_id = None
    return SentencePieceModel(data, tuple(pieces), tuple(kinds), pad_id)


@functools.cache
def _message_class():
    """The class of `_SCHEMA`'s Model, in a pool of its own: sentencepiece, where it is
    installed, has declared the same file elsewhere."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="kbert.proto", package="kbert")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            entry = message.field.add(name=field, number=number)
            entry.label = f"LABEL_{label}"
            if kind in _SCHEMA:
                entry.type, entry.type_name = "TYPE_MESSAGE", f".kbert.{kind}"
            else:
                entry.type = f"TYPE_{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("kbert.Model"))


def _unused_spelling(pieces):
    spelling = "<unknown>"
    while spelling in pieces:
        spelling += "_"
    return spelling
