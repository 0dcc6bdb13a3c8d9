"""Model directories by how their tokenizers are stored: rows of `foreign_rows`."""

import foreign_files as files
from foreign_reference import PIECES, TEXTS, TOKENS, reference
from foreign_rows import LIVE, Expected, row

MARKED = ("the <e1>movie</e1>.", "<E1> hello [unused1]!")
MARKERS = ("<e1>", "</e1>")


def _markers(path, **special):
    """transformers' tokenizer of `vocab.txt` with two markers added."""
    import transformers

    files.write_vocabulary(path, {"do_lower_case": True})
    made = transformers.BertTokenizer.from_pretrained(path, **special)
    made.add_tokens(list(MARKERS))
    return made


def _marked_classifier(path):
    """A classifier with a row for each added token, and its reference's outputs."""
    rows = len(TOKENS) + len(MARKERS)
    made = reference("BertForSequenceClassification", num_labels=3, vocab_size=rows)
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    return made.outputs()


@row("transformers 5: markers added, a row for each, [unused1] special", *LIVE)
def markers(path):
    tokenizer = _markers(path, extra_special_tokens=["[unused1]"])
    ids = tokenizer(list(MARKED), add_special_tokens=False)["input_ids"]
    (path / "vocab.txt").unlink()
    tokenizer.save_pretrained(path)
    return Expected(_marked_classifier(path), "text_classifier", ids, texts=MARKED)


@row("transformers 4: added_tokens.json, special_tokens_map.json", *LIVE)
def markers_of_4(path):
    tokenizer = _markers(path, extra_special_tokens=["[unused1]"])
    ids = tokenizer(list(MARKED), add_special_tokens=False)["input_ids"]
    added = {token: len(TOKENS) + i for i, token in enumerate(MARKERS)}
    files.write_json(path / "added_tokens.json", added)
    named = {"additional_special_tokens": ["[unused1]"], "mask_token": "[MASK]"}
    files.write_json(path / "special_tokens_map.json", named)
    return Expected(_marked_classifier(path), "text_classifier", ids, texts=MARKED)


@row("PreTrainedTokenizerFast: a tokenizer of one's own, the prefix @@", *LIVE)
def fast(path):
    import tokenizers
    import transformers
    from tokenizers import normalizers, pre_tokenizers

    vocabulary = {t.replace("##", "@@"): i for i, t in enumerate(TOKENS)}
    rust = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            vocabulary, unk_token="[UNK]", continuing_subword_prefix="@@"
        )
    )
    rust.normalizer = normalizers.BertNormalizer()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = {f"{n.lower()}_token": f"[{n}]" for n in ("PAD", "UNK", "CLS", "SEP")}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=rust, mask_token="[MASK]", **special
    )
    made = reference()
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    tokenizer.save_pretrained(path)
    ids = tokenizer(list(TEXTS), add_special_tokens=False)["input_ids"]
    return Expected(made.outputs(), ids=ids)


@row("vocab.txt with a byte order mark, a blank line, a token twice, spaces")
def odd_vocabulary(path):
    made = reference(vocab_size=len(TOKENS) + 3)
    lines = [*TOKENS, "", "hello", "cafe "]
    lines[TOKENS.index("the")] = "the \t"
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, {"do_lower_case": True}, lines)
    file = path / "vocab.txt"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    # As google-research/bert's load_vocab: each line's place, the last of two.
    places = {line.strip(): i for i, line in enumerate(lines)}
    ids = [[places[piece] for piece in pieces] for pieces in PIECES]
    return Expected(made.outputs(), ids=ids)


@row("an uncased vocab.txt alone beside config.json and model.safetensors")
def uncased(path):
    made = reference("BertForTokenClassification", num_labels=5)
    files.write_safetensors(path / "model.safetensors", made.tensors())
    files.write_json(path / "config.json", made.config())
    files.write_vocabulary(path, None)
    return Expected(made.outputs(), "token_classifier")
