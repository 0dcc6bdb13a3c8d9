"""Makes a small SentencePiece model in KoBERT's order, and what the library says of it.

    python tests/data/make_sentencepiece.py

Needs the `sentencepiece` library. Trains on text_sample_ko.txt (CC0) beside; writes
sentencepiece.model (unk 0, pad 1, cls 2, sep 3, mask 4; [MASK] is user-defined, and a
few rules of NFKC stand in for all of them, which take 240 kB) and sentencepiece.json:
texts, and the ids the library gives.
"""

import io
import json
import os
import tempfile
from pathlib import Path

import sentencepiece

DATA = Path(__file__).resolve().parent
RULES = {
    "\t": " ",
    "\u00a0": " ",
    "\u3000": " ",
    "\u200b": " ",
    "\ufffd": " ",
    "\u33a2": "km2",  # a square kilometre in one character
    "\ufb01": "fi",
    "\u1112\u1161\u11ab": "한",  # Hangul typed as jamo
    **{chr(0xFEE0 + c): chr(c) for c in range(0x21, 0x7F)},  # full-width ASCII
}
AWKWARD = [
    "",
    "   ",
    "  a  b ",
    "가\t나\u3000다\u00a0라\u200b마",
    "㎢ ﬁ ＡＢＣ",
    "\u1112\u1161\u11ab국 한국",
    "☃ 漢字 대한☃민국",
    "\u2581대한 ▁민국",
    "😀😀 대통령",
    "[SEP] [CLS]국민 [PAD][UNK] <unk> </s>",
    "국민\x01국민\x00",
    "가" * 200,
]


def main():
    lines = (DATA / "text_sample_ko.txt").read_text("utf-8").split("\n")
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)  # the name of the rules' file gets into the model
        with open("rules.tsv", "w", encoding="utf-8") as rules:
            for pair in RULES.items():
                codes = (" ".join(f"{ord(c):X}" for c in text) for text in pair)
                rules.write("\t".join(codes) + "\n")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for line in lines if line),
            model_writer=model,
            vocab_size=1000,
            character_coverage=0.98,
            normalization_rule_tsv="rules.tsv",
            num_threads=1,
            unk_id=0,
            pad_id=1,
            bos_id=2,
            eos_id=3,
            unk_piece="[UNK]",
            pad_piece="[PAD]",
            bos_piece="[CLS]",
            eos_piece="[SEP]",
            user_defined_symbols=["[MASK]"],
            minloglevel=1,
        )
        os.chdir(DATA)
    (DATA / "sentencepiece.model").write_bytes(model.getvalue())
    library = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    texts = AWKWARD + lines[::10]
    golden = {"texts": texts, "ids": library.encode(texts)}
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (DATA / "sentencepiece.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
