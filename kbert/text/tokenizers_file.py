"""A WordPiece tokenizer as `tokenizer.json`, for programs without Python or kbert.

The file is read by the Rust library `tokenizers` and its bindings: Python, Node, C++,
Swift, and by what is built on them; transformers 5 writes it in place of `vocab.txt`.
"""

import dataclasses
from pathlib import Path

from kbert.disk.json_object import json_object
from kbert.text.added_tokens import AddedToken, as_added_token
from kbert.text.vocabulary import blank_token
from kbert.text.word_piece import longest_word

TOKENIZERS_FILE = "tokenizer.json"
# Ids without a token that a vocabulary may have; more are taken for a damaged file.
_MOST_BLANKS = 100_000
# Normalizers one after the other that do what BertNormalizer does, but for ideographs.
_SEQUENCES = {
    ("Lowercase",): {"lowercase": True, "strip_accents": False},
    ("NFD", "StripAccents"): {"lowercase": False, "strip_accents": True},
    ("NFD", "Lowercase", "StripAccents"): {"lowercase": True, "strip_accents": True},
    ("NFD", "StripAccents", "Lowercase"): {"lowercase": True, "strip_accents": True},
    (): {"lowercase": False, "strip_accents": False},
}
# Pre-tokenizers that split at white space and set every punctuation character apart.
_SPLITS = (("BertPreTokenizer",), ("WhitespaceSplit", "Punctuation"))


class ForeignTokenizerError(ValueError):
    """A directory's texts are tokenized by something that kbert does not have."""


@dataclasses.dataclass(frozen=True)
class TokenizersFile:
    """What a `tokenizer.json` says.

    Attributes:
        tokens: those of the model by id, "##" before what continues a word.
        settings: `lowercase`, `strip_accents`, `split_on_cjk` and
            `max_characters_per_word`, arguments of our tokenizers.
        special: special tokens it names, by the names of `Vocabulary`'s arguments.
        added: (id, token) of each added token, the five special ones among them.
        differs: in words, what of it our tokenizers do otherwise; "" for nothing.
    """

    tokens: list[str]
    settings: dict
    special: dict
    added: list[tuple[int, AddedToken]]
    differs: str = ""


def is_tokenizers_file(path: Path) -> bool:
    """Whether a file is one of this kind, and not KerasHub's of the same name."""
    return path.is_file() and holds_tokenizer(json_object(path))


def holds_tokenizer(stored: dict) -> bool:
    """As `is_tokenizers_file`, of what a file holds."""
    return isinstance(stored.get("model"), dict)


def read_tokenizers_file(path: Path) -> TokenizersFile:
    """Reads a `tokenizer.json` whose model is WordPiece.

    Raises:
        ForeignTokenizerError: another model, or a normalizer or pre-tokenizer that
            BERT's rules cannot do; the message names it.
        ValueError: damaged ids.
    """
    return tokenizers_file_of(json_object(path), path)


def tokenizers_file_of(stored: dict, path: Path) -> TokenizersFile:
    """As `read_tokenizers_file`, of what the file holds; its path is for messages."""
    model = _object(stored, "model", path)
    kind = model.get("type") or (
        "WordPiece" if "continuing_subword_prefix" in model else "another kind"
    )
    if kind != "WordPiece":
        raise ForeignTokenizerError(
            f"{path}: expected a WordPiece model, which BERT has; it is {kind}. Use "
            "the files of a BERT tokenizer."
        )
    prefix = model.get("continuing_subword_prefix", "##")
    settings, differs = _normalization(stored.get("normalizer"), path)
    if most := model.get("max_input_chars_per_word"):
        settings["max_characters_per_word"] = int(most)
    _check_splits(stored.get("pre_tokenizer"), path)
    special = {"unknown_token": model.get("unk_token")}
    special["pad_token"] = (stored.get("padding") or {}).get("pad_token")
    special |= _ends(stored.get("post_processor") or {})
    added = [
        (int(token["id"]), as_added_token(token))
        for token in stored.get("added_tokens") or []
    ]
    return TokenizersFile(
        _tokens(_object(model, "vocab", path), prefix, added, path),
        settings,
        {name: token for name, token in special.items() if token},
        added,
        differs,
    )


def write_tokenizers_file(
    tokenizer,
    directory: Path,
    sequence_length: int | None = None,
    special_tokens_in_text: bool = True,
) -> None:
    """Writes `tokenizer.json`: text or pair to [CLS] a [SEP] (b [SEP]).

    Its ids are those of `compatibility="huggingface"`; the rules of Google's code give
    others for a few rare characters.

    Args:
        tokenizer: a `BertTokenizer` or `ReferenceTokenizer`.
        directory: where to.
        sequence_length: tokens that a text, or a pair, is cut to and filled up to the
            longest of; None for neither.
        special_tokens_in_text: whether a special token that a text spells is the token,
            as Hugging Face's programs expect; otherwise text, as in our own tokenizers.
    """
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = tokenizer.vocabulary
    longest = longest_word(tokenizer.max_characters_per_word, tokenizer.compatibility)
    ids = {t: i for i, t in enumerate(vocabulary.tokens) if vocabulary.is_piece(t)}
    theirs = tokenizers.Tokenizer(
        models.WordPiece(
            ids,
            unk_token=vocabulary.unknown_token,
            max_input_chars_per_word=longest,
        )
    )
    theirs.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=tokenizer.split_on_cjk,
        strip_accents=tokenizer.strip_accents,
        lowercase=tokenizer.lowercase,
    )
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    theirs.decoder = decoders.WordPiece()
    theirs.post_processor = processors.BertProcessing(
        (vocabulary.sep_token, vocabulary.sep_id),
        (vocabulary.cls_token, vocabulary.cls_id),
    )
    # The library numbers tokens behind the model's as they come.
    place = vocabulary.token_to_id
    added = sorted(vocabulary.added_tokens, key=lambda token: place(token.content))
    if special_tokens_in_text:
        theirs.add_special_tokens(list(vocabulary.special_tokens))
    for token in added:
        flags = {"normalized": token.normalized, "single_word": token.single_word}
        add = theirs.add_special_tokens if token.special else theirs.add_tokens
        add([tokenizers.AddedToken(token.content, **flags, special=token.special)])
    if sequence_length:
        theirs.enable_truncation(sequence_length)
        theirs.enable_padding(pad_id=vocabulary.pad_id, pad_token=vocabulary.pad_token)
    theirs.save(str(directory / TOKENIZERS_FILE))


def _object(stored, name, path):
    value = stored.get(name)
    if not isinstance(value, dict):
        raise ValueError(
            f"{path}: expected an object for {name}; it says {str(value)[:60]}. Save "
            "the tokenizer again."
        )
    return value


def _tokens(vocab, prefix, added, path):
    """Tokens by id, continuations with "##"; a blank for an id without one."""
    by_id = {}
    names = {token.content for _, token in added}
    for token, id in vocab.items():
        if type(id) is not int or id < 0 or id in by_id:
            raise ValueError(
                f"{path}: expected ids from 0 on, each once; {token!r} has {id!r}. "
                "Save the tokenizer again."
            )
        if prefix != "##" and token not in names and token.startswith(prefix):
            token = "##" + token.removeprefix(prefix)
        by_id[id] = token
    if not prefix or len(set(by_id.values())) < len(by_id):
        raise ForeignTokenizerError(
            f'{path}: expected pieces that can be told apart with "##" before what '
            f"continues a word; its prefix is {prefix!r}. Learn a vocabulary with "
            '"##".'
        )
    if not by_id or max(by_id) >= len(by_id) + _MOST_BLANKS:
        raise ValueError(
            f"{path}: expected ids one after the other; {len(by_id):,} tokens have ids "
            f"up to {max(by_id, default=0):,}. Save the tokenizer again."
        )
    return [by_id.get(id) or blank_token(id) for id in range(max(by_id) + 1)]


def _steps(stored):
    """A step of a pipeline, or those of a sequence of them."""
    if not stored:
        return []
    if stored.get("type") == "Sequence":
        parts = stored.get("normalizers") or stored.get("pretokenizers") or []
        return [step for part in parts for step in _steps(part)]
    return [stored]


def _normalization(stored, path):
    """Settings of our tokenizers, and what they do otherwise, in words."""
    steps = _steps(stored)
    kinds = tuple(step.get("type") for step in steps)
    if kinds == ("BertNormalizer",):
        (step,) = steps
        settings = {
            "lowercase": bool(step.get("lowercase", True)),
            "strip_accents": step.get("strip_accents"),
            "split_on_cjk": bool(step.get("handle_chinese_chars", True)),
        }
        cleans = step.get("clean_text", True)
    elif kinds in _SEQUENCES:
        settings, cleans = {**_SEQUENCES[kinds], "split_on_cjk": False}, False
    else:
        raise ForeignTokenizerError(
            f"{path}: expected a normalizer that BERT's rules can do (BertNormalizer; "
            "Lowercase; NFD, StripAccents, Lowercase); it has "
            f"{', '.join(map(str, kinds))}. Tokenize with the library that wrote it, "
            "or train with BERT's rules."
        )
    differs = "it keeps control characters, which are deleted here"
    return settings, "" if cleans else differs


def _check_splits(stored, path):
    steps = _steps(stored)
    kinds = tuple(step.get("type") for step in steps)
    isolates = all(step.get("behavior", "Isolated") == "Isolated" for step in steps)
    if kinds not in _SPLITS or not isolates:
        raise ForeignTokenizerError(
            f"{path}: expected words split as BERT splits them (BertPreTokenizer, or "
            "WhitespaceSplit and Punctuation); it has "
            f"{', '.join(map(str, kinds)) or 'no pre_tokenizer'}. Tokenize with the "
            "library that wrote it, or train with BERT's rules."
        )


def _ends(stored):
    """The tokens set before and behind a text, where it is one each.

    >>> _ends({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
    {'cls_token': '[CLS]', 'sep_token': '[SEP]'}
    """
    if stored.get("type") == "BertProcessing":
        return {"cls_token": stored["cls"][0], "sep_token": stored["sep"][0]}
    names = [
        step["SpecialToken"]["id"] if "SpecialToken" in step else None
        for step in stored.get("single") or []
    ]
    if len(names) == 3 and names[1] is None and names[0] and names[2]:
        return {"cls_token": names[0], "sep_token": names[2]}
    return {}
