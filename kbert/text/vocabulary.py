"""A WordPiece vocabulary: tokens, their ids, and which of them are special."""

import os
import warnings
from collections.abc import Iterable

from kbert.disk.whole_files import write_file
from kbert.text.added_tokens import AddedToken, as_added_token

# Spelled and ordered as in google-research/bert; the keys are `Vocabulary`'s arguments.
SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unknown_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


class Vocabulary:
    """An ordered set of tokens; a token's id is its place, counted from 0.

    Word starts are stored bare ("play"), continuations with "##" ("##ing"), as in
    google-research/bert's `vocab.txt`. No special token is assumed to have a certain
    id: [PAD] is 0 in Google's files and 1 in KoBERT's. An id that no text gives, as
    that of a blank line, is held by `blank_token(id)`.

        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "em", "##bed"]
        >>> vocabulary = Vocabulary(tokens)
        >>> vocabulary.token_to_id("##bed"), vocabulary.token_to_id("absent")
        (6, 1)
        >>> vocabulary.special_ids
        (0, 1, 2, 3, 4)

    Args:
        tokens: every token, in the order of the ids.
        pad_token, unknown_token, cls_token, sep_token, mask_token: how the five
            special tokens are spelled in `tokens`.
        added_tokens: those of `tokens` that texts hold whole, whatever is in them:
            `AddedToken`s, dicts of their fields, or strings. The five special tokens
            are none: whether texts may spell them is said to the tokenizer.

    Raises:
        ValueError: no tokens, an empty token, a token given twice, or a special token
            or an added one that is not among them.
    """

    def __init__(
        self,
        tokens: Iterable[str],
        pad_token: str = SPECIAL_TOKENS["pad_token"],
        unknown_token: str = SPECIAL_TOKENS["unknown_token"],
        cls_token: str = SPECIAL_TOKENS["cls_token"],
        sep_token: str = SPECIAL_TOKENS["sep_token"],
        mask_token: str = SPECIAL_TOKENS["mask_token"],
        added_tokens: Iterable = (),
    ):
        self.tokens = tuple(tokens)
        self.pad_token = pad_token
        self.unknown_token = unknown_token
        self.cls_token = cls_token
        self.sep_token = sep_token
        self.mask_token = mask_token
        if not self.tokens:
            raise ValueError(
                "A vocabulary must hold at least its special tokens; got 0."
            )
        self._ids = {}
        for i, token in enumerate(self.tokens):
            if not token:
                raise ValueError(
                    f"Every line of a vocabulary must hold a token; line {i + 1} is "
                    "blank. Delete the line if the ids were made without it."
                )
            if token in self._ids:
                raise ValueError(
                    f"Every token of a vocabulary must be there once; {token!r} is on "
                    f"lines {self._ids[token] + 1} and {i + 1}. Rename one of them, "
                    "so that the other ids keep their places."
                )
            self._ids[token] = i
        for name in SPECIAL_TOKENS:
            if getattr(self, name) not in self._ids:
                raise ValueError(
                    f"The vocabulary must hold its {name} {getattr(self, name)!r}; it "
                    f"is not among the {len(self.tokens)} tokens. Add it, or pass "
                    f"{name}=... if it is spelled differently there."
                )
        self.added_tokens = self._as_added_tokens(added_tokens)
        behind = {t.content for t in self.added_tokens if not t.is_piece}
        self._pieces = {t: i for t, i in self._ids.items() if t not in behind}

    def _as_added_tokens(self, values) -> tuple[AddedToken, ...]:
        if isinstance(values, str):
            raise ValueError(
                f"added_tokens must be a list of tokens; got the string {values!r}. "
                "Put it in a list."
            )
        found = {}
        for token in map(as_added_token, values):
            if token.content not in self._ids:
                raise ValueError(
                    f"The added token {token.content!r} must have a place in the "
                    "vocabulary; it is not among its tokens. Add it to them."
                )
            if token.content not in self.special_tokens:
                found.setdefault(token.content, token)
        return tuple(sorted(found.values(), key=lambda t: self._ids[t.content]))

    @property
    def pieces(self) -> tuple[str, ...]:
        """What WordPiece may give, by id: `tokens`, blank where it may not.

        >>> behind = {"content": "b", "is_piece": False}
        >>> tokens = [*SPECIAL_TOKENS.values(), "a", "b"]
        >>> Vocabulary(tokens, added_tokens=[behind]).pieces[5:]
        ('a', '[blank 6]')
        """
        return tuple(
            token if self.is_piece(token) else blank_token(id)
            for id, token in enumerate(self.tokens)
        )

    def is_piece(self, token: str) -> bool:
        """Whether WordPiece may give a token, and `vocab.txt` has it."""
        return token in self._pieces

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Pad, unknown, cls, sep and mask, as spelled here."""
        return tuple(getattr(self, name) for name in SPECIAL_TOKENS)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids that are no text, in rising order.

        Those of the special tokens, of added tokens that are special, and of blanks.
        """
        special = {*self.special_tokens}
        special.update(t.content for t in self.added_tokens if t.special)
        blank = (i for i, t in enumerate(self.tokens) if t == blank_token(i))
        return tuple(sorted({*(self._ids[token] for token in special), *blank}))

    @property
    def pad_id(self) -> int:
        return self._ids[self.pad_token]

    @property
    def unknown_id(self) -> int:
        return self._ids[self.unknown_token]

    @property
    def cls_id(self) -> int:
        return self._ids[self.cls_token]

    @property
    def sep_id(self) -> int:
        return self._ids[self.sep_token]

    @property
    def mask_id(self) -> int:
        return self._ids[self.mask_token]

    def token_to_id(self, token: str) -> int:
        """The token's id, or `unknown_id` when it is not in the vocabulary."""
        return self._ids.get(token, self.unknown_id)

    def id_to_token(self, id: int) -> str:
        """The token with this id.

        Raises:
            ValueError: the id is below 0, or not below `len(vocabulary)`.
        """
        if not 0 <= id < len(self.tokens):
            raise ValueError(
                f"A token id must be from 0 to {len(self.tokens) - 1}; got {id}."
            )
        return self.tokens[id]

    def special_tokens_asked(self, asked: bool | Iterable[str]) -> tuple[str, ...]:
        """Those that count when they are typed into a text.

        Args:
            asked: a tokenizer's `special_tokens_in_text`: True for all of them, False
                for none, or a list of them.

        Raises:
            ValueError: the list holds what is no special token of the vocabulary.
        """
        if isinstance(asked, bool):
            return self.special_tokens if asked else ()
        typed = tuple(asked)
        if isinstance(asked, str) or not set(typed) <= set(self.special_tokens):
            raise ValueError(
                "special_tokens_in_text must be True, False, or a list of special "
                f"tokens ({', '.join(self.special_tokens)}); got {asked!r}."
            )
        return typed

    def whole_tokens(self, asked: bool | Iterable[str]) -> tuple[AddedToken, ...]:
        """Tokens that texts hold whole: the added ones, and special tokens asked for.

        Args:
            asked: as in `special_tokens_asked`.
        """
        special = (
            AddedToken(t, special=True) for t in self.special_tokens_asked(asked)
        )
        return (*special, *self.added_tokens)

    def cut(self, word: str, starts: bool = True) -> tuple[list[str], bool]:
        """The longest pieces from the front on, and whether nothing is left over.

        A tokenizer gives the unknown token where something is.

            >>> vocabulary = Vocabulary([*SPECIAL_TOKENS.values(), "ab", "##c", "##ab"])
            >>> vocabulary.cut("abc"), vocabulary.cut("abx")
            ((['ab', '##c'], True), (['ab'], False))
            >>> vocabulary.cut("abc", starts=False)
            (['##ab', '##c'], True)

        Args:
            word: one word, as `ReferenceTokenizer.words` gives it.
            starts: whether the word is whole, or the continuation of another.
        """
        pieces, start = [], 0
        while start < len(word):
            prefix = "" if starts and not start else "##"
            for end in range(len(word), start, -1):
                if prefix + word[start:end] in self._pieces:
                    break
            else:
                return pieces, False
            pieces.append(prefix + word[start:end])
            start = end
        return pieces, True

    def arguments(self) -> dict:
        """The constructor's keyword arguments; what JSON can hold."""
        arguments = {"tokens": list(self.tokens)}
        arguments |= {name: getattr(self, name) for name in SPECIAL_TOKENS}
        if self.added_tokens:
            added = [token.arguments() for token in self.added_tokens]
            arguments["added_tokens"] = added
        return arguments

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._ids

    def __eq__(self, other):
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self._key == other._key

    def __hash__(self):
        return hash(self._key)

    @property
    def _key(self):
        return self.tokens, self.special_tokens, frozenset(self.added_tokens)

    def __repr__(self):
        return f"Vocabulary({len(self.tokens)} tokens)"

    @classmethod
    def read(cls, path: str | os.PathLike, **special_tokens: str) -> "Vocabulary":
        r"""Reads a UTF-8 `vocab.txt`, one token per line; line 1 is id 0.

        Lines end at "\n" alone, since published files hold tokens such as U+2028 that
        `str.splitlines` would cut. A line that is blank, or whose token stands on a
        later line again, is `blank_token(id)`; white space around a token is dropped.
        So the ids are those that google-research/bert's `load_vocab` gives. All of it
        is warned of, and a byte order mark, too.

        Args:
            path: the file.
            **special_tokens: `pad_token=...` and so on, as in the constructor.

        Raises:
            ValueError: an empty file, bytes that are not UTF-8 or a special token
                missing; the message names the file.
        """
        tokens = read_tokens(path)
        try:
            return cls(tokens, **special_tokens)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def write(self, path: str | os.PathLike) -> None:
        """Writes one token per line, UTF-8, whole or not at all."""
        _write(self.tokens, path)

    def write_pieces(self, path: str | os.PathLike) -> None:
        """As `write`, without added tokens that stand behind the file."""
        size = len(self.tokens)
        while not self.is_piece(self.tokens[size - 1]):
            size -= 1
        _write(self.pieces[:size], path)


def blank_token(id: int) -> str:
    """What holds the place of an id that no text gives; a space is in no word.

    >>> blank_token(7)
    '[blank 7]'
    """
    return f"[blank {id}]"


def read_tokens(path: str | os.PathLike) -> list[str]:
    """The tokens of a `vocab.txt`, as `Vocabulary.read` takes them."""
    with open(path, "rb") as file:
        data = file.read()
    if not data.strip():
        raise ValueError(f"{path}: expected one token per line; the file is empty.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}: a vocabulary must be UTF-8; line {line} is not, at byte "
            f"{error.start} of the file. Convert the file to UTF-8."
        ) from None
    tokens, odd = _google_tokens(text)
    if odd:
        warnings.warn(
            f"{path}: {'; '.join(odd)}. Each line keeps its id, as google-research/"
            "bert counts them.",
            stacklevel=3,
        )
    return tokens


def _google_tokens(text):
    r"""The tokens of a file's text, and what is odd about it, in words.

    >>> _google_tokens("a\n\nb \na\n\n")
    (['[blank 0]', '[blank 1]', 'b', 'a'],
     ['line 2 is blank', "white space around a token is dropped on line 3 ('b')",
      "a token is there again on line 4 ('a'): the last one counts"])
    """
    bare = text.removeprefix("\ufeff")
    odd = {} if bare == text else {"a byte order mark is dropped": None}
    lines = bare.rstrip("\r\n").split("\n")
    last, tokens, blank, spaced, again = {}, [], [], [], []
    for id, line in enumerate(lines):
        line = line.removesuffix("\r")
        token = line.strip()
        if token in ("", "##"):  # of rarer white space alone: no text gives it
            token = line.strip(" \t\r\f\v")
        if not token:
            blank.append((id, None))
            token = blank_token(id)
        elif token != line:
            spaced.append((id, token))
        if token in last:
            again.append((id, token))
            tokens[last[token]] = blank_token(last[token])
        last[token] = id
        tokens.append(token)
    for one, many, found in (
        ("line {} is blank", "{} lines are blank, the first of them line {}", blank),
        (
            "white space around a token is dropped on line {}",
            "white space around {} tokens is dropped, first on line {}",
            spaced,
        ),
        (
            "a token is there again on line {}: the last one counts",
            "{} tokens are there again, first on line {}: the last one counts",
            again,
        ),
    ):
        if found:
            id, token = found[0]
            line = str(id + 1) if token is None else f"{id + 1} ({token!r})"
            several = many.format(f"{len(found):,}", line)
            odd[one.format(line) if len(found) == 1 else several] = None
    return tokens, list(odd)


def _write(tokens, path):
    with write_file(path) as aside:
        aside.write_bytes("".join(f"{token}\n" for token in tokens).encode())


def as_vocabulary(value) -> Vocabulary:
    """The vocabulary behind whatever a tokenizer accepts in its place.

    Args:
        value: a `Vocabulary`, the path of a `vocab.txt`, a list of tokens, or the dict
            of `Vocabulary.arguments()`.
    """
    if isinstance(value, Vocabulary):
        return value
    if isinstance(value, str | os.PathLike):
        return Vocabulary.read(value)
    if isinstance(value, dict):
        return Vocabulary(**value)
    return Vocabulary(value)
