import pathlib
import subprocess
import sys

import pytest

from kbert.text import reference_tokenizer
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, "em", "##bed", "##ding", "!"]


@pytest.fixture(scope="module")
def uncased():
    return ReferenceTokenizer(DATA / "bert-base-uncased.txt", lowercase=True)


def test_golden_ids(uncased):
    assert uncased(["Here embeddings"]) == [[2182, 7861, 8270, 4667, 2015]]
    small = ReferenceTokenizer(SMALL, lowercase=True)
    assert small(["Embedding!", "xx", ""]) == [[5, 6, 7, 8], [1], []]
    assert small.tokenize("Embedding!") == ["em", "##bed", "##ding", "!"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("Don't  stop", ["don", "'", "t", "stop"]),
        ("a\u00a0b\u3000c\u2028d\u2029e\tf", ["a", "b", "c", "d", "e", "f"]),
        ("a\x00b\ufffdc\u200bd\u00ade\x85f", ["abcdef"]),  # dropped, nothing between
        ("漢字かな한글", ["漢", "字", "かな한글"]),
        ("\U0002b820x\U0002ceaf", ["\U0002b820", "x", "\U0002ceaf"]),
        ("[SEP]", ["[", "sep", "]"]),
        ("$1^2`3~", ["$", "1", "^", "2", "`", "3", "~"]),
        ("«a»、b€", ["«", "a", "»", "、", "b€"]),
        ("ΟΔΟΣ ΟΔΟΣ字", ["οδος", "οδος", "字"]),  # a sigma that ends a word
        ("ß ﬁ ① İ", ["ß", "ﬁ", "①", "i̇"]),
        ("\u0301 ", ["\u0301"]),
    ],
)
def test_words(text, words):
    tokenizer = ReferenceTokenizer(SMALL, lowercase=True, strip_accents=False)
    assert tokenizer.words(text) == words


def test_accents_follow_lowercase_unless_given():
    def words(**arguments):
        return ReferenceTokenizer(SMALL, **arguments).words("É 한")

    assert words() == ["É", "한"]
    assert words(lowercase=True) == ["e", "\u1112\u1161\u11ab"]
    assert words(lowercase=True, strip_accents=False) == ["é", "한"]
    assert words(strip_accents=True) == ["E", "\u1112\u1161\u11ab"]
    assert words(split_on_cjk=False) == ["É", "한"]
    assert ReferenceTokenizer(SMALL, lowercase=True).words("\u0301") == []


def test_cjk_may_stay_together():
    assert ReferenceTokenizer(SMALL, split_on_cjk=False).words("漢字a") == ["漢字a"]


def test_long_words_are_counted_in_characters():
    tokenizer = ReferenceTokenizer(
        [*SPECIAL, "가", "##가", "b"], max_characters_per_word=3
    )
    assert tokenizer(["가가가 b", "가가가가 b"]) == [[5, 6, 6, 7], [1, 7]]


def test_detokenize_is_the_inverse_on_whole_words(uncased):
    ids = uncased(["here are embeddings"])[0]
    assert uncased.detokenize([101, *ids, 102, 0, 0]) == "here are embeddings"
    assert ReferenceTokenizer(SMALL).detokenize([2, 5, 6, 7, 8, 3]) == "embedding !"
    assert uncased.detokenize([]) == ""


def test_offsets():
    small = ReferenceTokenizer(SMALL, lowercase=True)
    assert small.tokenize_with_offsets("\u200bEmbed\u00adDing !") == [
        (5, 1, 3),
        (6, 3, 6),
        (7, 7, 11),
        (8, 12, 13),
    ]
    # İ becomes two characters, é two of which one is dropped; both are one in the text.
    text = "İé X"
    assert small.tokenize_with_offsets(text) == [(1, 0, 2), (1, 3, 4)]
    assert small.tokenize_with_offsets("") == []


def test_special_tokens_in_text():
    tokenizer = ReferenceTokenizer(SMALL, special_tokens_in_text=True)
    assert tokenizer(["em[MASK]em [SEP]", "[MASK"]) == [[5, 4, 5, 3], [1, 1]]
    assert tokenizer.tokenize_with_offsets("em[MASK]!") == [
        (5, 0, 2),
        (4, 2, 8),
        (8, 8, 9),
    ]
    assert ReferenceTokenizer(SMALL)(["[MASK]"]) == [[1, 1, 1]]


def test_huggingface_edition():
    tokenizer = ReferenceTokenizer(SMALL, True, compatibility="huggingface")
    assert tokenizer.words("ΑΣ a\ue000b \U0002b820x") == ["ασ", "ab", "\U0002b820x"]
    long = ReferenceTokenizer([*SPECIAL, "a", "##a"], compatibility="huggingface")
    assert long(["a" * 100, "a" * 101]) == [[5] + [6] * 99, [1]]


def test_a_full_cache_changes_nothing(monkeypatch):
    text = (DATA / "text_sample_ko.txt").read_text(encoding="utf-8")
    vocabulary = Vocabulary.read(DATA / "text_vocabulary.txt")
    expected = ReferenceTokenizer(vocabulary)([text])
    monkeypatch.setattr(reference_tokenizer, "MAX_CACHED_WORDS", 3)
    small = ReferenceTokenizer(vocabulary)
    assert small([text]) == expected
    assert len(small._cache) == 3


def test_errors():
    with pytest.raises(ValueError, match="must be at least 1; got 0"):
        ReferenceTokenizer(SMALL, max_characters_per_word=0)
    with pytest.raises(ValueError, match="\"huggingface\"; got 'rust'"):
        ReferenceTokenizer(SMALL, compatibility="rust")
    with pytest.raises(ValueError, match="must be a list of strings; got the string"):
        ReferenceTokenizer(SMALL)("em")


def test_needs_no_tensorflow():
    code = (
        "import sys, kbert.text.reference_tokenizer;"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DATA.parents[1])
