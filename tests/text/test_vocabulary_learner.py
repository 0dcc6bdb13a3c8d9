import pathlib
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest

from kbert.text import vocabulary_learner, word_counts
from kbert.text.reference_tokenizer import ReferenceTokenizer
from kbert.text.vocabulary import Vocabulary
from kbert.text.vocabulary_learner import learn_vocabulary, learn_vocabulary_from_texts

DATA = pathlib.Path(__file__).parents[1] / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SAMPLES = [DATA / "text_sample_ko.txt", DATA / "text_sample_en.txt"]


def written(tmp_path, text):
    path = tmp_path / "corpus.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def learned(path, size, **arguments):
    return list(learn_vocabulary(path, size, **arguments).tokens)


def test_golden(tmp_path):
    path = written(tmp_path, "ab ab ab\n")
    tokens = [*SPECIAL, "a", "b", "##a", "##b", "ab"]
    assert learned(path, 10, max_alphabet=2) == tokens
    assert learned(path, 99, max_alphabet=2) == tokens  # nothing more to learn
    assert learned(path, 9, max_alphabet=2) == tokens[:9]


def test_the_shipped_vocabulary_is_learned_again():
    again = learn_vocabulary(SAMPLES, vocabulary_size=1400, max_alphabet=500)
    assert again == Vocabulary.read(DATA / "text_vocabulary.txt")


def test_another_process_learns_the_same():
    code = (
        "import sys; from kbert.text.vocabulary_learner import learn_vocabulary\n"
        "print(hash(learn_vocabulary(sys.argv[1], 2000, max_alphabet=500).tokens))"
    )
    environment = {"PYTHONHASHSEED": "0"}  # only to compare the hashes printed
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, str(SAMPLES[0])],
            check=True,
            cwd=DATA.parents[1],
            env=environment,
            capture_output=True,
        ).stdout
        for _ in range(3)
    }
    assert len(runs) == 1


def test_most_words_become_pieces():
    vocabulary = learn_vocabulary(SAMPLES, vocabulary_size=4000, max_alphabet=1000)
    text = SAMPLES[0].read_text(encoding="utf-8")
    ids = ReferenceTokenizer(vocabulary)([text])[0]
    assert ids.count(vocabulary.unknown_id) / len(ids) < 0.02


def test_text_is_normalised_as_the_tokenizer_does(tmp_path):
    jamo = unicodedata.normalize("NFD", "한글 한글 É É")
    path = written(tmp_path, jamo)
    assert "한글" in learned(path, 30, max_alphabet=5)
    assert "É" in learned(path, 30, max_alphabet=5)
    assert "é" in learned(path, 30, max_alphabet=5, lowercase=True, strip_accents=False)
    stripped = learned(path, 60, max_alphabet=9, lowercase=True)
    assert "e" in stripped and "\u1112" in stripped and "é" not in stripped


def test_what_stands_alone_takes_no_continuation(tmp_path):
    path = written(tmp_path, "字, 字, 字x\n")
    assert learned(path, 50, min_frequency=1) == [*SPECIAL, ",", "x", "字", "##x"]
    together = learned(path, 50, min_frequency=1, split_on_cjk=False)
    assert "##字" in together and "字x" in together


def test_alphabet_frequency_and_unused(tmp_path):
    path = written(tmp_path, "a a a b b c\n")
    assert learned(path, 50, max_alphabet=9)[5:] == ["a", "b", "##a", "##b"]
    assert learned(path, 50, max_alphabet=1)[5:] == ["a", "##a"]
    tokens = learned(path, 50, max_alphabet=9, num_unused=2)
    assert tokens[:7] == [*SPECIAL, "[unused1]", "[unused2]"]


def test_a_directory_stands_for_its_text_files(tmp_path):
    written(tmp_path, "ab ab ab\n")
    (tmp_path / "other.md").write_text("cd cd cd")
    assert learned(tmp_path, 50, max_alphabet=9)[5:] == ["a", "b", "##a", "##b", "ab"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Expected text files \(\*.txt\)"):
        learn_vocabulary(tmp_path / "empty")


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="at least one text file; got none"):
        learn_vocabulary([])
    with pytest.raises(ValueError, match="corpus.txt; there is none. Are the files em"):
        learn_vocabulary(written(tmp_path, ""))
    korean = "가\n".encode() + "안녕하세요\n".encode("cp949")
    with pytest.raises(
        ValueError, match="Expected UTF-8; .*corpus.txt, line 2 .*CP949"
    ):
        learn_vocabulary(written(tmp_path, korean))
    with pytest.raises(
        ValueError, match="line 1 holds the byte 0xff at position 0. Convert"
    ):
        learn_vocabulary(written(tmp_path, b"\xff\xff\n"))
    with pytest.raises(ValueError, match="at least 9: 5 special.*2 characters.*got 8"):
        learn_vocabulary(written(tmp_path, "ab ab ab\n"), 8, max_alphabet=2)


def from_texts(texts, size, **arguments):
    return list(learn_vocabulary_from_texts(texts, size, **arguments).tokens)


def test_texts_give_what_their_file_gives():
    lines = [line for path in SAMPLES for line in path.read_text("utf-8").split("\n")]
    settings = {"vocabulary_size": 1400, "max_alphabet": 500}
    from_files = learn_vocabulary(SAMPLES, **settings)
    assert learn_vocabulary_from_texts(lines, **settings) == from_files
    assert learn_vocabulary_from_texts((x for x in lines), **settings) == from_files
    assert learn_vocabulary_from_texts(["\n".join(lines)], **settings) == from_files


def test_a_generator_is_read_once():
    read = []

    def texts():
        for i in range(3):
            read.append(i)
            yield "ab ab"

    assert from_texts(texts(), 10, max_alphabet=2)[5:] == ["a", "b", "##a", "##b", "ab"]
    assert read == [0, 1, 2]


def test_korean_by_default():
    nfd = unicodedata.normalize("NFD", "각각 각각 Straße Straße É É")
    tokens = from_texts([nfd], 200, max_alphabet=20)
    assert {"각각", "Straße", "É"} <= set(tokens)
    # An eighth of the vocabulary at most is characters.
    text = " ".join(chr(0xAC00 + i) * 2 for i in range(500))
    tokens = from_texts([text], 80)
    assert [t for t in tokens[5:] if len(t) == 1] == [
        chr(0xAC00 + i) for i in range(10)
    ]


def test_frequent_words_survive_a_small_limit(monkeypatch):
    texts = [f"학교에 x{i}y{i % 13}" for i in range(400)]
    monkeypatch.setattr(word_counts, "MAX_WORDS", 50)
    monkeypatch.setattr(word_counts, "MAX_CHUNKS", 50)
    tokens = from_texts(iter(texts), 60, max_alphabet=20)
    assert "학교에" in tokens
    assert tokens == from_texts(iter(texts), 60, max_alphabet=20)


def test_counts_are_divided_where_the_trainer_would_get_too_many(monkeypatch):
    words = Counter({"ab": 9, "cd": 4, "ef": 1})
    assert "".join(vocabulary_learner._blocks(words, 1)).split() == list(
        words.elements()
    )
    assert list(vocabulary_learner._blocks(words, 3)) == ["ab ab ab cd "]
    monkeypatch.setattr(vocabulary_learner, "_BLOCK", 4)
    blocks = list(vocabulary_learner._blocks(words, 1))
    assert blocks == ["ab " * 4, "ab " * 4, "ab cd cd cd ", "cd ef "]
    text = ["ab " * 90 + "cd " * 40 + "ef"]
    everything = from_texts(text, 50, max_alphabet=9)
    assert everything[-2:] == ["ab", "cd"]
    monkeypatch.setattr(vocabulary_learner, "MAX_TRAINER_WORDS", 14)
    assert from_texts(text, 50, max_alphabet=9) == everything


def test_errors_of_texts():
    with pytest.raises(ValueError, match="iterable of strings; got the string 'a.txt'"):
        learn_vocabulary_from_texts("a.txt")
    with pytest.raises(ValueError, match="2 times or more in the texts; there is none"):
        learn_vocabulary_from_texts(iter([]))
    with pytest.raises(TypeError, match="Expected texts as str; got NoneType"):
        learn_vocabulary_from_texts(["a", None])


def test_user_tokens_come_first_and_nothing_is_learned_of_them():
    texts = ["<url>abc <url> abc", "abc <url>x"]
    learned = learn_vocabulary_from_texts(
        texts, 20, min_frequency=1, max_alphabet=8, num_unused=1, user_tokens=["<url>"]
    )
    assert learned.tokens[5:7] == ("[unused1]", "<url>")
    assert learned.tokens[7:11] == ("a", "b", "c", "x")  # no "<", "u", "r", "l"
    assert [token.content for token in learned.added_tokens] == ["<url>"]
    assert ReferenceTokenizer(learned).tokenize("abc<url>x") == ["abc", "<url>", "x"]
    with pytest.raises(ValueError, match="5 special tokens, 2 unused or yours and 4"):
        learn_vocabulary_from_texts(
            texts, 8, max_alphabet=8, min_frequency=1, user_tokens=["<url>", "<e>"]
        )
