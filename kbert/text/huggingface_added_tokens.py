"""Which tokens a Hugging Face directory says were added, and where they stand.

tokenizer.json           `added_tokens`, with their ids and flags
tokenizer_config.json    `added_tokens_decoder`, which replaces the older files;
                         `additional_special_tokens` (5: `extra_special_tokens`)
special_tokens_map.json  the same, before 2023
added_tokens.json        those behind vocab.txt and their ids, before 2023
"""

import dataclasses
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.text.added_tokens import AddedToken, as_added_token
from kbert.text.tokenizers_file import TokenizersFile
from kbert.text.vocabulary import Vocabulary, blank_token

TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS_MAP, ADDED_TOKENS = "special_tokens_map.json", "added_tokens.json"
_EXTRA = ("additional_special_tokens", "extra_special_tokens")


def json_if_there(path: Path) -> dict:
    """A JSON object, or an empty one where there is no file."""
    return json_object(path) if path.is_file() else {}


def added_tokens_of(
    directory: Path, stored: dict, rust: TokenizersFile | None, special: dict
) -> dict[str, tuple[AddedToken, int | None]]:
    """Content -> (token, id or None if none is said), the five special ones left out.

    As transformers reads them: the decoder of tokenizer_config.json, or without one the
    older files; then all that are called special by name.

    Args:
        directory: where the files are.
        stored: its tokenizer_config.json.
        rust: its tokenizer.json.
        special: how the five special tokens are spelled.
    """
    found = said_in_file(rust, special) if rust else {}

    def add(token, id=None):
        if token.content not in special.values():
            found[token.content] = (token, id)

    where = directory / TOKENIZER_CONFIG
    maps = [stored]
    decoder = stored.get("added_tokens_decoder")
    if decoder is None:
        maps.append(json_if_there(directory / SPECIAL_TOKENS_MAP))
        extra = {_content(token) for map in maps for token in _special_in(map)}
        for content, id in json_if_there(directory / ADDED_TOKENS).items():
            is_special = content in extra
            add(AddedToken(content, not is_special, special=is_special), id)
    else:
        for id, token in _object(decoder, "added_tokens_decoder", where).items():
            add(as_added_token(token), int(id) if id.isdecimal() else id)
    for map in maps:
        for token in _special_in(map):
            content = _content(token)
            if content in found:
                token, id = found[content]
                add(dataclasses.replace(token, special=True), id)
            else:
                flags = token if isinstance(token, dict) else {"content": token}
                add(as_added_token({**flags, "special": True}))
    return found


def said_in_file(
    rust: TokenizersFile, special: dict
) -> dict[str, tuple[AddedToken, int | None]]:
    """The added tokens of a tokenizer.json, in the form of `added_tokens_of`."""
    return {
        token.content: (token, id)
        for id, token in rust.added
        if token.content not in special.values()
    }


def with_added(
    tokens: Iterable[str],
    added: dict[str, tuple[AddedToken, int | None]],
    special: dict,
    path: Path,
    most: int | None = None,
) -> Vocabulary:
    """The vocabulary of tokens and of the added ones, from `added_tokens_of`.

    Args:
        special: arguments of `Vocabulary`.
        path: of the file that the tokens came from.
        most: the rows of the model, where they are known.
    """
    tokens = list(tokens)
    places = {token: id for id, token in enumerate(tokens)}
    placed = [_placed(tokens, places, id, t, most, path) for t, id in added.values()]
    try:
        return Vocabulary(tokens, **special, added_tokens=filter(None, placed))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def written_added_tokens(vocabulary: Vocabulary) -> dict:
    """Fields of tokenizer_config.json that say which tokens were added, and where.

    All special tokens are among them, as transformers 4.34 and later write it.
    """
    if not vocabulary.added_tokens:
        return {}
    special = [AddedToken(t, special=True) for t in vocabulary.special_tokens]
    decoder = {
        str(vocabulary.token_to_id(token.content)): {
            "content": token.content,
            "lstrip": False,
            "normalized": token.normalized,
            "rstrip": False,
            "single_word": token.single_word,
            "special": token.special,
        }
        for token in (*special, *vocabulary.added_tokens)
    }
    extra = [t.content for t in vocabulary.added_tokens if t.special]
    by_id = dict(sorted(decoder.items(), key=lambda item: int(item[0])))
    return {"added_tokens_decoder": by_id} | ({_EXTRA[0]: extra} if extra else {})


def _special_in(stored):
    """What a map names as special tokens beside the five, as strings or dicts."""
    named = [
        value
        for name, value in stored.items()
        if re.fullmatch(r"\w+_token", name) and _content(value)
    ]
    for name in _EXTRA:
        extra = stored.get(name) or []
        named += extra.values() if isinstance(extra, dict) else extra
    return [token for token in named if _content(token)]


def _content(token):
    return (
        token.get("content")
        if isinstance(token, dict)
        else (token if isinstance(token, str) else None)
    )


def _placed(tokens, places, id, token, most, path):
    """Gives an added token its place in `tokens`, if it has none there (`places`).

    Returns: the token with `is_piece` set; None where it has no row in the model.
    """
    if id is not None and (type(id) is not int or id < 0):
        raise ValueError(
            f"Expected an id for the added token {token.content!r} in the files beside "
            f"{path}; they say {id!r}. Correct it there."
        )
    there = places.get(token.content)
    if there is not None and id in (None, there):
        return token
    if there is not None:
        raise ValueError(
            f"Expected one id for the added token {token.content!r}; {path} has it as "
            f"{there}, and the list of added tokens says {id}. Correct one of them."
        )
    if id is None:
        id = len(tokens)
        if isinstance(most, int) and id >= most:
            warnings.warn(
                f"{path}: the special token {token.content!r} is not in it, and the "
                f"model has {most:,} rows; where a text spells it, it is text.",
                stacklevel=2,
            )
            return None
    while len(tokens) <= id:
        tokens.append(blank_token(len(tokens)))
    if tokens[id] != blank_token(id):
        raise ValueError(
            f"Expected an id of its own for the added token {token.content!r}; the "
            f"list of added tokens says {id}, which is {tokens[id]!r} in {path}. "
            "Correct one of them."
        )
    tokens[id] = token.content
    places[token.content] = id
    return dataclasses.replace(token, is_piece=False)


def _object(value, name, path):
    if not isinstance(value, dict):
        raise ValueError(
            f"Expected an object for {name} in {path}; it says {str(value)[:60]}. "
            "Correct it there."
        )
    return value
