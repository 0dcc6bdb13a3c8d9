"""How a Hugging Face directory says that its texts are tokenized.

    vocab.txt                one token a line
    tokenizer.json           the whole tokenizer (`kbert.text.tokenizers_file`); it
                             rules over vocab.txt, and transformers 5 writes no other
    tokenizer_config.json    how text is normalised, special and added tokens
    special_tokens_map.json  special tokens, before 2023
    added_tokens.json        added tokens behind vocab.txt and their ids, before 2023

What is not said takes transformers' default, which is to lower-case: most uploads of
2019 to 2021 say nothing, and were uncased.
"""

import json
import warnings
from pathlib import Path

from kbert.text.characters import has_accents
from kbert.text.huggingface_added_tokens import (
    SPECIAL_TOKENS_MAP,
    TOKENIZER_CONFIG,
    added_tokens_of,
    json_if_there,
    said_in_file,
    with_added,
)
from kbert.text.tokenizers_file import (
    TOKENIZERS_FILE,
    ForeignTokenizerError,
    holds_tokenizer,
    read_tokenizers_file,
    tokenizers_file_of,
)
from kbert.text.vocabulary import SPECIAL_TOKENS, Vocabulary, read_tokens
from kbert.text.word_piece import longest_word

VOCABULARY, MODEL_CONFIG = "vocab.txt", "config.json"
# Fields of tokenizer_config.json: the argument of our tokenizers, and its type.
WORDPIECE_FIELDS = {
    "do_lower_case": ("lowercase", bool),
    "strip_accents": ("strip_accents", bool),
    "tokenize_chinese_chars": ("split_on_cjk", bool),
    "compatibility": ("compatibility", str),
    "max_characters_per_word": ("max_characters_per_word", int),
}
SPECIAL_FIELDS = {
    "pad_token": ("pad_token", str),
    "unk_token": ("unknown_token", str),
    "cls_token": ("cls_token", str),
    "sep_token": ("sep_token", str),
    "mask_token": ("mask_token", str),
}
DEFAULT_LOWERCASE = True  # transformers' BertTokenizer
# Classes of transformers that tokenize as BERT does; "Fast" behind them is the same.
_CLASSES = {
    *("BertTokenizer", "ElectraTokenizer", "DistilBertTokenizer"),
    *("MobileBertTokenizer", "ConvBertTokenizer", "SqueezeBertTokenizer"),
    *("RetriBertTokenizer", "LayoutLMTokenizer", "DPRQuestionEncoderTokenizer"),
    *("DPRContextEncoderTokenizer", "DPRReaderTokenizer"),
}
# Those that do what tokenizer.json says, and nothing of their own.
_GENERIC = {"PreTrainedTokenizer", "TokenizersBackend"}


def huggingface_arguments(directory: Path) -> dict:
    """The arguments of `BertTokenizer` and `ReferenceTokenizer` in a directory.

    A setting of tokenizer_config.json rules over tokenizer.json, unless its class is
    one that only reads that file; transformers' default fills the rest. A
    tokenizer.json alone is of `compatibility="huggingface"`, whose ids it stands for.

    Raises:
        ForeignTokenizerError: a tokenizer.json that is not BERT's.
        ValueError: a damaged file, a field of a wrong type, or an added token whose id
            is another's.
    """
    stored = json_if_there(directory / TOKENIZER_CONFIG)
    rust = _tokenizers_file(directory)
    arguments = _arguments(stored, WORDPIECE_FIELDS, directory / TOKENIZER_CONFIG)
    if rust and "compatibility" not in arguments:  # else it is our own, and says all
        settings = {n: v for n, v in rust.settings.items() if v is not None}
        if _class_name(stored.get("tokenizer_class")) in _GENERIC:
            arguments |= settings
        elif settings["lowercase"] != arguments.get("lowercase", DEFAULT_LOWERCASE):
            _say_conflict(directory, settings, arguments)
        arguments = settings | arguments
        arguments = _edition(
            arguments, "google" if _has_lines(directory) else "huggingface"
        )
    vocabulary = _vocabulary(directory, stored, rust)
    if "lowercase" not in arguments:
        arguments["lowercase"] = DEFAULT_LOWERCASE
        _check_default(vocabulary, arguments, directory)
    return {"vocabulary": vocabulary} | arguments


def tokenizers_file_arguments(path: Path) -> dict:
    """As `huggingface_arguments`, of a `tokenizer.json` by itself.

    Raises:
        ValueError: it is none, or not BERT's.
    """
    rust = read_tokenizers_file(path)
    if rust.differs:
        warnings.warn(f"{path}: {rust.differs}.", stacklevel=2)
    special = dict(SPECIAL_TOKENS) | rust.special
    vocabulary = with_added(rust.tokens, said_in_file(rust, special), special, path)
    settings = {n: v for n, v in rust.settings.items() if v is not None}
    return {"vocabulary": vocabulary} | _edition(settings, "huggingface")


def special_arguments(directory: Path) -> dict:
    """How the special tokens are spelled, where the directory says so."""
    stored = json_if_there(directory / TOKENIZER_CONFIG)
    found = _arguments(stored, SPECIAL_FIELDS, directory / TOKENIZER_CONFIG)
    if "added_tokens_decoder" not in stored:  # as transformers: it replaces the map
        path = directory / SPECIAL_TOKENS_MAP
        found |= _arguments(json_if_there(path), SPECIAL_FIELDS, path)
    return found


def added_tokens_said(directory: Path) -> bool:
    """Whether a directory says that tokens were added beside the five special ones."""
    stored = json_if_there(directory / TOKENIZER_CONFIG)
    return bool(added_tokens_of(directory, stored, None, _special_spellings(directory)))


def with_added_tokens(vocabulary: Vocabulary, directory: Path, path: Path):
    """A vocabulary and the tokens that a directory says were added to it.

    Args:
        path: of the file that the vocabulary came from, for messages.
    """
    stored = json_if_there(directory / TOKENIZER_CONFIG)
    special = {name: getattr(vocabulary, name) for name in SPECIAL_TOKENS}
    added = added_tokens_of(directory, stored, None, special)
    most = _model_config(directory).get("vocab_size")
    return with_added(vocabulary.tokens, added, special, path, most)


def _special_spellings(directory):
    return dict(SPECIAL_TOKENS) | special_arguments(directory)


def check_tokenizer_class(directory: Path) -> None:
    """The tokenizer is one that we have.

    Raises:
        ForeignTokenizerError: `tokenizer_class` names another, such as one that cuts
            words by MeCab first; or it is told to leave out BERT's own rules for words.
    """
    stored = json_if_there(directory / TOKENIZER_CONFIG)
    where = TOKENIZER_CONFIG
    if "tokenizer_class" not in stored:
        stored = stored | _model_config(directory)
        where = MODEL_CONFIG
    name = _class_name(stored.get("tokenizer_class"))
    if name == "BertJapaneseTokenizer":
        words = stored.get("word_tokenizer_type")
        pieces = stored.get("subword_tokenizer_type", "wordpiece")
        is_bert = (words, pieces) == ("basic", "wordpiece")
        by = f" (words by {words}, pieces by {pieces})" if words else ""
        name = "BertTokenizer" if is_bert else f"{name}{by}"
    if name is not None and name not in _CLASSES | _GENERIC:
        raise ForeignTokenizerError(
            f"Expected a tokenizer of BERT's in {directory}; {where} names {name}, "
            "which kbert does not have and does not imitate. Cut texts with it first "
            "and give kbert the pieces' ids; or, if it cuts as BERT's own does, set "
            f'"tokenizer_class": "BertTokenizer" in {where}.'
        )
    if stored.get("do_basic_tokenize") is False:
        raise ForeignTokenizerError(
            f"Expected BERT's rules for words in {directory}; {where} says "
            '"do_basic_tokenize": false: texts come with their words cut, by '
            "something else. Delete the line if they do not."
        )


def _edition(arguments, compatibility):
    """Arguments under an edition of the rules; what is its default is left out."""
    most = arguments.get("max_characters_per_word")
    if most == longest_word(None, compatibility):
        arguments = {
            n: v for n, v in arguments.items() if n != "max_characters_per_word"
        }
    if compatibility == "google":
        return arguments
    return arguments | {"compatibility": compatibility}


def _has_lines(directory):
    return (directory / VOCABULARY).is_file()


def _model_config(directory):
    """`config.json`; what is wrong with it, those will say who need it."""
    try:
        return json_if_there(directory / MODEL_CONFIG)
    except ValueError:
        return {}


def _class_name(name):
    return name.removesuffix("Fast") if isinstance(name, str) else None


def _tokenizers_file(directory):
    path = directory / TOKENIZERS_FILE
    stored = json_if_there(path)
    if not holds_tokenizer(stored):
        return None
    try:
        rust = tokenizers_file_of(stored, path)
    except ValueError as error:
        if not _has_lines(directory):
            raise
        warnings.warn(f"{error} {VOCABULARY} is read instead.", stacklevel=2)
        return None
    if rust.differs:
        warnings.warn(f"{path}: {rust.differs}.", stacklevel=2)
    return rust


def _vocabulary(directory, stored, rust):
    special = dict(SPECIAL_TOKENS) | (rust.special if rust else {})
    special |= special_arguments(directory)
    if rust:
        tokens, path = rust.tokens, directory / TOKENIZERS_FILE
        if _has_lines(directory):
            _compare(tokens, directory, rust)
    else:
        path = directory / VOCABULARY
        tokens = read_tokens(path)
    added = added_tokens_of(directory, stored, rust, special)
    most = _model_config(directory).get("vocab_size")
    return with_added(tokens, added, special, path, most)


def _compare(tokens, directory, rust):
    """Says so where vocab.txt gives other ids than tokenizer.json."""
    names = {token.content for _, token in rust.added}
    lines = read_tokens(directory / VOCABULARY)
    both = zip(lines, tokens, strict=False)
    differing = [i for i, (a, b) in enumerate(both) if a != b]
    rest = [token for token in lines[len(tokens) :] if token not in names]
    if differing or rest or len(lines) < len(tokens):
        first = differing[0] if differing else min(len(lines), len(tokens))
        warnings.warn(
            f"{directory}: {VOCABULARY} and {TOKENIZERS_FILE} differ from id {first} "
            f"on; {TOKENIZERS_FILE} is followed, as transformers does. Delete the one "
            "that is not the model's.",
            stacklevel=2,
        )


def _say_conflict(directory, settings, arguments):
    """Says which of two files is followed, where they differ in lower-casing."""
    says = "lower-cases" if settings["lowercase"] else "keeps capitals"
    if "lowercase" in arguments:
        what = f"{TOKENIZER_CONFIG} says otherwise and is followed"
    else:
        what = (
            f"it is followed, as {TOKENIZER_CONFIG} does not say do_lower_case; "
            "transformers takes its default then, and lower-cases"
        )
    warnings.warn(
        f"{directory}: {TOKENIZERS_FILE} {says}; {what}. Make them agree.",
        stacklevel=3,
    )


def _check_default(vocabulary, arguments, directory):
    """Warns where lower-casing by default leaves much of the vocabulary unmet."""
    bodies = [token.removeprefix("##") for token in vocabulary.tokens]
    words = [b for b in bodies if b.isalpha() and b not in vocabulary.special_tokens]
    lost = [word for word in words if word != word.lower()]
    whole = []
    if arguments.get("strip_accents") is not False:
        whole = [word for word in words if has_accents(word)]
    if len(lost) + len(whole) > len(words) // 100:
        warnings.warn(
            f"{directory} does not say do_lower_case, so that text is lower-cased and "
            "loses its accents, as in transformers; but its vocabulary has "
            f"{len(lost):,} tokens with capitals and {len(whole):,} with accents or "
            f"Hangul syllables ({(lost or whole)[-1]!r}), which are never met then. If "
            f'the model is cased, write {{"do_lower_case": false}} to '
            f"{TOKENIZER_CONFIG} there.",
            stacklevel=2,
        )


def _arguments(stored, fields, path):
    """Fields of a file as arguments; null counts as not there."""
    arguments = {}
    for theirs, (ours, kind) in fields.items():
        value = stored.get(theirs)
        if isinstance(value, dict) and "content" in value:
            value = value["content"]  # how transformers stores a token with its flags
        if value is None:
            continue
        if type(value) is not kind:
            words = {bool: "true or false", str: "a string", int: "an integer"}
            raise ValueError(
                f"Expected {words[kind]} for {theirs} in {path}; it says "
                f"{json.dumps(value, ensure_ascii=False)}. Correct it there."
            )
        arguments[ours] = value
    return arguments
