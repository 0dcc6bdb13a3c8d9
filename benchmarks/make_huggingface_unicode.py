"""Reads Hugging Face's character rules out of the `tokenizers` library, into a file.

The Rust library carries Unicode tables of several versions, none of them Python's.
This asks it about every code point and writes `kbert/text/huggingface_unicode.json`,
which `kbert.text.characters` reads for compatibility="huggingface".

    python benchmarks/make_huggingface_unicode.py
"""

import json
from pathlib import Path

import tokenizers
from tokenizers import normalizers, pre_tokenizers

OUTPUT = Path(__file__).parents[1] / "kbert" / "text" / "huggingface_unicode.json"
CODEPOINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def bert_normalizer(**on):
    off = dict.fromkeys(
        ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False
    )
    return normalizers.BertNormalizer(**{**off, **on}).normalize_str


def ranges(codepoints):
    """[65, 66, 97] -> [[65, 66], [97, 97]]."""
    found = []
    for codepoint in sorted(codepoints):
        if found and found[-1][1] == codepoint - 1:
            found[-1][1] = codepoint
        else:
            found.append([codepoint, codepoint])
    return found


def shifts(mapping):
    """{65: 97, 66: 98, 256: 257, 258: 259} -> [[65, 66, 1, 32], [256, 258, 2, 1]].

    First and last code point, the step between them, what is added.
    """
    found = []
    for codepoint, target in sorted(mapping.items()):
        shift = target - codepoint
        if found and found[-1][3] == shift:
            first, last, step, _ = found[-1]
            gap = codepoint - last
            if gap in (1, 2) and (first == last or gap == step):
                found[-1][1:3] = [codepoint, gap]
                continue
        found.append([codepoint, codepoint, 1, shift])
    return found


def main():
    clean = bert_normalizer(clean_text=True)
    lower = bert_normalizer(lowercase=True)
    strip = bert_normalizer(strip_accents=True)
    nfd = normalizers.NFD().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    cleaned = {c: clean(chr(c)) for c in CODEPOINTS}
    lowered = {c: lower(chr(c)) for c in CODEPOINTS}
    changed = {c: text for c, text in lowered.items() if text != chr(c)}
    decomposed = {c: nfd(chr(c)) for c in CODEPOINTS}
    hangul = range(0xAC00, 0xD7A4)

    def is_mark(character):
        """Its combining class is above 1 (it passes U+0334), or 1 to 229 (U+0301)."""
        return (
            nfd(f"{character}\u0334") == f"\u0334{character}"
            or nfd(f"\u0301{character}") == f"{character}\u0301"
        )

    tables = {
        "made_with": f"tokenizers {tokenizers.__version__}",
        "deleted": ranges(c for c in CODEPOINTS if cleaned[c] == ""),
        "whitespace": ranges(c for c in CODEPOINTS if cleaned[c] == " "),
        "punctuation": ranges(
            c
            for c in CODEPOINTS
            if [word for word, _ in split(f"a{chr(c)}b")] == ["a", chr(c), "b"]
        ),
        "accents": ranges(c for c in CODEPOINTS if strip(chr(c)) == ""),
        "decomposable": ranges(
            c for c in CODEPOINTS if decomposed[c] != chr(c) and c not in hangul
        ),
        "marks": ranges(
            c for c in CODEPOINTS if decomposed[c] == chr(c) and is_mark(chr(c))
        ),
        "lowercase": shifts({c: ord(t) for c, t in changed.items() if len(t) == 1}),
        "lowercase_long": {c: text for c, text in changed.items() if len(text) != 1},
    }
    lines = ",\n".join(
        f'"{name}": {json.dumps(value, separators=(",", ":"))}'
        for name, value in tables.items()
    )
    OUTPUT.write_text("{\n" + lines + "\n}\n", "utf-8")
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes, {tables['made_with']}")


if __name__ == "__main__":
    main()
