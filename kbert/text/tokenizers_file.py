"""A WordPiece tokenizer as `tokenizer.json`, for programs without Python or kbert.

The file is read by the Rust library `tokenizers` and its bindings: Python, Node, C++,
Swift, and by what is built on them.
"""

from pathlib import Path

from kbert.text.word_piece import longest_word

TOKENIZERS_FILE = "tokenizer.json"


def write_tokenizers_file(tokenizer, directory: Path, sequence_length: int) -> None:
    """Writes `tokenizer.json`: text or pair to [CLS] a [SEP] (b [SEP]), cut.

    Its ids are those of `compatibility="huggingface"`; the rules of Google's code give
    others for a few rare characters. A special token that a text spells is text, as in
    our own tokenizers.

    Args:
        tokenizer: a `BertTokenizer` or `ReferenceTokenizer`.
        directory: where to.
        sequence_length: tokens that a text, or a pair, is cut to.
    """
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, processors

    vocabulary = tokenizer.vocabulary
    ids = {token: id for id, token in enumerate(vocabulary.tokens)}
    longest = longest_word(tokenizer.max_characters_per_word, tokenizer.compatibility)
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
    # Special tokens are told to the packing alone. As "added tokens" they would be
    # found in texts, too.
    theirs.post_processor = processors.BertProcessing(
        (vocabulary.sep_token, vocabulary.sep_id),
        (vocabulary.cls_token, vocabulary.cls_id),
    )
    theirs.enable_truncation(sequence_length)
    theirs.enable_padding(pad_id=vocabulary.pad_id, pad_token=vocabulary.pad_token)
    theirs.save(str(directory / TOKENIZERS_FILE))
