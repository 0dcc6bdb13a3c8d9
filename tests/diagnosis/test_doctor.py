"""Each thing that ruins results is found where it was put in, and nothing else is."""

import json
import re
import shutil
import subprocess
import sys
import unicodedata

import foreign_directories
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kbert.checkpoints.huggingface.names import NamedTensors, of_huggingface
from kbert.checkpoints.load_and_save import load, save
from kbert.checkpoints.tensorflow.google import write_checkpoint
from kbert.commands.doctor import doctor
from kbert.diagnosis.case import WORDS, Case
from kbert.diagnosis.doctor import CHECKS, TEXT_CHECKS, examine
from kbert.diagnosis.vocabulary_checks import hangul_and_accents, letter_case
from kbert.models.backbone import BertBackbone
from kbert.text.tokenizer_files import model_path
from kbert.text.vocabulary import Vocabulary

PRESET = "kbert_tiny_ko_en"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def directory(tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(model_path(PRESET), copy)
    return copy


def with_json(name, **fields):
    """Sets fields of a JSON file; None takes one away."""

    def spoil(directory):
        file = directory / name
        stored = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        stored = {k: v for k, v in (stored | fields).items() if v is not None}
        file.write_text(json.dumps(stored), "utf-8")

    return spoil


def config(**fields):
    return with_json("config.json", **fields)


def settings(**fields):
    return with_json("tokenizer_config.json", **fields)


def tokens(change):
    """`change` takes the tokens and gives others."""

    def spoil(directory):
        file = directory / "vocab.txt"
        lines = file.read_text("utf-8").removesuffix("\n").split("\n")
        file.write_text("".join(f"{token}\n" for token in change(lines)), "utf-8")

    return spoil


def tensors(change):
    """`change` takes the tensors, in place."""

    def spoil(directory):
        stored = {k: v.copy() for k, v in load_file(directory / FILE).items()}
        change(stored)
        save_file(stored, directory / FILE)

    return spoil


def row(token, value):
    """Sets the row of a token; `value` is an array, or a function of the table."""

    def spoil(directory):
        place = (directory / "vocab.txt").read_text("utf-8").split("\n").index(token)

        def change(stored):
            table = stored[WORDS]
            table[place] = value(table) if callable(value) else value

        tensors(change)(directory)

    return spoil


def all_of(*spoilers):
    return lambda directory: [spoil(directory) for spoil in spoilers]


FILE = "model.safetensors"
POOLER = "bert.pooler.dense"


def fresh(size):
    values = np.random.default_rng(0).normal(size=4 * np.prod(size))
    values = values[np.abs(values) < 2][: np.prod(size)]
    return (0.02 * values).reshape(size).astype("float32")


def set_nan(stored):
    stored["bert.encoder.layer.1.output.dense.weight"][3, 4] = np.nan
    stored[f"{POOLER}.bias"][:2] = np.inf


def as_codes(stored):
    """What `model.quantize` leaves where weights were, as integers or as floats."""
    for name, dtype in ((WORDS, "int8"), (f"{POOLER}.weight", "float32")):
        codes = np.round(stored[name] / np.abs(stored[name]).max() * 127)
        codes[0, :2] = -127, 127
        stored[name] = codes.astype(dtype)


def fresh_pooler(stored):
    stored[f"{POOLER}.weight"] = fresh((128, 128))
    stored[f"{POOLER}.bias"][:] = 0


def fresh_block(stored):
    part = "bert.encoder.layer.1"
    stored[f"{part}.output.LayerNorm.weight"][:] = 1
    stored[f"{part}.attention.output.dense.bias"][:] = 0


def without_capitals(lines):
    """Tokens with capitals give way to others that are nowhere else."""
    return [
        f"zz{i}zz" if any("A" <= c <= "Z" for c in t) and t not in SPECIAL else t
        for i, t in enumerate(lines)
    ]


def decoder(stored):
    stored["cls.predictions.decoder.weight"] = stored[WORDS] * 1.5


def add(name, array):
    return tensors(lambda stored: stored.update({name: array}))


def drop(name):
    return tensors(lambda stored: stored.pop(name))


SPOILED = {
    "a token too many": (
        tokens(lambda lines: [*lines, "새말"]),
        ("error", "each token has a row", '8,001 tokens for 8,000 rows.*"새말" would'),
    ),
    "tokens too few": (
        tokens(lambda lines: lines[:-200]),
        (
            "warning",
            "each token has a row",
            "7,800 tokens for 8,000.*200 rows .* yet trai",
        ),
    ),
    "rows filled up": (
        all_of(
            tensors(lambda stored: stored[WORDS].__setitem__(slice(-3, -1), 0)),
            tensors(lambda stored: stored[WORDS].__setitem__(-1, fresh(128))),
            tokens(lambda lines: lines[:-3]),
        ),
        (
            "note",
            "each token has a row",
            "7,997 tokens.*3 rows without a token, which n",
        ),
    ),
    "vocab_size of another model": (
        config(vocab_size=30522),
        ("error", "each token has a row", "vocab_size 30,522; .* has 8,000 rows"),
    ),
    "no [MASK]": (
        tokens(lambda lines: [t.replace("[MASK]", "[M]") for t in lines]),
        ("error", "the files can be read", r"must hold its mask_token '\[MASK\]'"),
    ),
    "a token twice": (
        tokens(lambda lines: [*lines[:-1], lines[-2]]),
        ("warning", "the files can be read", "there again on line 8000.*last one c"),
    ),
    "special tokens spelled alike": (
        settings(pad_token="[UNK]"),
        [
            ("error", "special tokens", "Two special tokens are the same"),
            ("error", "padding token", "pad_token_id 0; .* and .UNK. is 1"),
        ],
    ),
    "the id of [MASK]": (
        config(mask_token_id=103),
        ("error", "special tokens", r"says mask_token_id 103; .* and \[MASK\] is 4"),
    ),
    "the id of [PAD], as KoBERT has it": (
        config(pad_token_id=1),
        (
            "error",
            "padding token",
            r"pad_token_id 1; .* that is \[UNK\], and \[PAD\] is 0",
        ),
    ),
    "no id of [PAD], which is not 0": (
        all_of(
            tokens(lambda lines: [lines[1], lines[0], *lines[2:]]),
            config(pad_token_id=None),
        ),
        ("warning", "padding token", r"counts as 0; .*\[UNK\], and \[PAD\] is 1"),
    ),
    "lower-casing a cased vocabulary": (
        settings(do_lower_case=True, strip_accents=False),
        ("error", "capitals", "cased and the tokenizer lower-cases: 144 tokens"),
    ),
    "capitals for an uncased vocabulary": (
        tokens(without_capitals),
        ("error", "capitals", "looks uncased .* 0 with capitals.* keeps capitals"),
    ),
    "the same, unsaid, but for accents": (
        all_of(tokens(without_capitals), settings(do_lower_case=None)),
        ("error", "Hangul and accents", "takes Hangul apart .by do_lower_case"),
    ),
    "a cased vocabulary, unsaid": (
        settings(do_lower_case=None),
        [
            (
                "error",
                "capitals",
                "cased and the tokenizer lower-cases, as tokenizer_config.json does "
                "not say do_lower_case: 144 tokens",
            ),
            ("error", "Hangul and accents", "6,356 of 7,995 tokens are never"),
        ],
    ),
    "syllables taken apart": (
        settings(strip_accents=True),
        (
            "error",
            "Hangul and accents",
            r"takes Hangul apart \(by strip_accents\).*6,356 of 7,995 tokens.*\[UNK\]",
        ),
    ),
    "jamo in the vocabulary": (
        tokens(lambda lines: [unicodedata.normalize("NFD", t) for t in lines]),
        ("error", "Hangul and accents", r"decomposed form \(NFD\), in 6,356 of 7,995"),
    ),
    "positions of another model": (
        config(max_position_embeddings=512),
        ("error", "longest input", "max_position_embeddings 512; .* has 128 rows"),
    ),
    "a tokenizer that cuts too late, as for KcBERT": (
        settings(model_max_length=300),
        ("error", "longest input", "model_max_length 300; the model has 128"),
    ),
    "a tokenizer that does not cut": (
        settings(model_max_length=int(1e30)),
        ("warning", "longest input", "128 positions, fewer than the usual 512"),
    ),
    "a task that cuts too late": (
        config(kbert={"sequence_length": 256}),
        ("error", "longest input", '"sequence_length": 256}; the model has 128'),
    ),
    "GELU of Google": (
        with_json("bert_config.json", hidden_act="gelu"),
        ("warning", "form of GELU", "tanh form; .* erf form"),
    ),
    "epsilon of RoBERTa": (
        config(layer_norm_eps=1e-5),
        ("warning", "layer norm epsilon", "layer_norm_eps 1e-05; Google's BERT"),
    ),
    "epsilon said twice": (
        config(layer_norm_eps=1e-5, layer_norm_epsilon=1e-5),
        ("note", "layer norm epsilon", "layer_norm_eps 1e-05"),
    ),
    "a decoder of its own": (
        tensors(decoder),
        ("error", "tied decoder", "decoder.weight differs from bert.*up to 0.5"),
    ),
    "NaN and Inf": (
        tensors(set_nan),
        (
            "error",
            "finite numbers",
            r"in 2 tensors: .*layer.1.output.dense.weight \(1 of 65,536\).*"
            r"pooler.dense.bias \(2 of 128\)|"
            r"in 2 tensors: .*bias \(2 of 128\).*weight \(1 of 65,536\)",
        ),
    ),
    "a kernel of zeros": (
        tensors(lambda stored: stored[f"{POOLER}.weight"].fill(0)),
        ("error", "finite numbers", "but zeros in 1 tensor: bert.pooler.dense.weight"),
    ),
    "codes of a quantized model": (
        tensors(as_codes),
        (
            "error",
            "no codes for weights",
            r"whole numbers in 2 tensors: .*pooler.dense.weight \(float32, -127.0 to 1"
            r".*word_embeddings.weight \(int8, -127 to 1|"
            r".*word_embeddings.weight \(int8, -127 to 1.*pooler.dense.weight \(float",
        ),
    ),
    "a new block": (
        tensors(fresh_block),
        ("error", "all layers trained", r"The blocks \[1\] are as a new model"),
    ),
    "a new pooler": (
        tensors(fresh_pooler),
        ("warning", "all layers trained", "The pooler is as a new model has it"),
    ),
    "a row of zeros": (
        row("영화", 0.0),
        ("warning", "all tokens trained", '1 row of .*, all zeros: such .*"영화"'),
    ),
    "a row twice": (
        row("영화", lambda table: table[100]),
        ("warning", "all tokens trained", '1 row of .*, equal to another: .*"영화"'),
    ),
    "a new row": (
        row("영화", fresh(128)),
        (
            "warning",
            "all tokens trained",
            r'as a new model has them \(spread 0.02; .*"영',
        ),
    ),
    "a new row of [unused1]": (
        all_of(
            row("영화", fresh(128)),
            tokens(lambda lines: ["[unused1]" if t == "영화" else t for t in lines]),
        ),
        ("note", "all tokens trained", r"1 row of \[unusedN\], as a new model"),
    ),
    "an activation nobody knows": (
        config(hidden_act="mish"),
        ("error", "settings and weights fit", "hidden_act 'mish', which is none of"),
    ),
    "another architecture": (
        config(model_type="roberta"),
        ("error", "settings and weights fit", '"model_type": "roberta"'),
    ),
    "heads that do not divide": (
        config(num_attention_heads=3),
        ("error", "settings and weights fit", "hidden_dim must be a multiple of num_h"),
    ),
    "another number of blocks": (
        config(num_hidden_layers=3),
        ("error", "settings and weights fit", "num_hidden_layers 3; .* have 2 blocks"),
    ),
    "another width": (
        config(intermediate_size=256),
        ("error", "settings and weights fit", r"shape \[512, 128\]; .* \[256, 128\]"),
    ),
    "a tensor that is missing": (
        drop("bert.encoder.layer.1.attention.self.key.bias"),
        (
            "error",
            "settings and weights fit",
            "1 tensor of the model missing: bert.*key",
        ),
    ),
    "a number that is none": (
        config(layer_norm_eps="1e-12"),
        ("error", "the files can be read", 'a number for layer_norm_eps in .*"1e-12"'),
    ),
    "no JSON": (
        lambda directory: (directory / "config.json").write_text("{"),
        ("error", "the files can be read", "Expected JSON in .*config.json"),
    ),
    "settings that are no JSON": (
        lambda directory: (directory / "tokenizer_config.json").write_text("{"),
        ("error", "the files can be read", "Expected JSON in .*tokenizer_config.json"),
    ),
    "weights cut short": (
        lambda directory: (directory / FILE).write_bytes(
            (directory / FILE).read_bytes()[:100_000]
        ),
        ("error", "the files can be read", "Expected a whole safetensors file"),
    ),
}


def test_a_good_model():
    diagnosis = doctor(PRESET)
    assert diagnosis.findings == diagnosis.skipped == ()
    assert diagnosis.exit_code == 0
    assert diagnosis.passed == (
        "the files can be read",
        *(check.title for check in CHECKS),
    )
    lines = str(diagnosis).split("\n")
    assert lines[0] == PRESET
    assert lines[1].startswith("  ok: the files can be read, settings and weights fit,")
    assert lines[-1] == "0 errors, 0 warnings, 0 notes"


@pytest.mark.parametrize("name", SPOILED)
def test_what_was_put_in_is_found_and_nothing_else(name, directory):
    spoil, expected = SPOILED[name]
    spoil(directory)
    expected = expected if isinstance(expected, list) else [expected]
    diagnosis = doctor(str(directory))
    found = [(finding.level, finding.check) for finding in diagnosis.findings]
    assert found == [(level, check) for level, check, _ in expected], str(diagnosis)
    for finding, (level, check, message) in zip(diagnosis.findings, expected):
        assert re.search(message, finding.what), finding.what
        assert finding.change.endswith(".")
        line = f"{level}: {check} {finding.what} -> {finding.change}"
        assert line in " ".join(str(diagnosis).split())
        assert check not in diagnosis.passed
    assert diagnosis.exit_code == any(level == "error" for level, *_ in expected)


def test_every_check_has_a_case_here():
    expected = [e for _, e in SPOILED.values() if isinstance(e, tuple)]
    assert {check for _, check, _ in expected} == {
        "the files can be read",
        *(check.title for check in CHECKS),
    }


def test_what_cannot_be_checked_is_said(directory):
    (directory / "vocab.txt").unlink()
    (directory / FILE).unlink()
    diagnosis = doctor(str(directory))
    assert [finding.check for finding in diagnosis.findings] == [
        "the files can be read"
    ]
    assert "model.safetensors" in diagnosis.findings[0].what
    assert "capitals" in diagnosis.skipped
    assert "finite numbers" in diagnosis.skipped
    assert "form of GELU" in diagnosis.passed
    assert "  not checked: each token has a row, special tokens," in str(diagnosis)


def test_a_new_model_was_never_trained(tmp_path):
    model = BertBackbone(40, 2, 2, 64, 64, max_sequence_length=512)
    save(model, tmp_path / "new")
    diagnosis = doctor(str(tmp_path / "new"))
    assert [finding.check for finding in diagnosis.findings] == ["all layers trained"]
    assert "All blocks are as a new model has them" in diagnosis.findings[0].what


def test_names_of_older_files(directory):
    def rename(stored):
        for name in list(stored):
            short = name.removeprefix("bert.")
            short = short.replace("LayerNorm.weight", "LayerNorm.gamma")
            if short.startswith(("embeddings", "encoder", "pooler")):
                stored[short.replace("LayerNorm.bias", "LayerNorm.beta")] = stored.pop(
                    name
                )

    tensors(rename)(directory)
    assert doctor(str(directory)).findings == ()


def test_googles_files(tmp_path):
    with pytest.warns(UserWarning, match="x Phi"):
        write_checkpoint(load(PRESET), tmp_path / "google")
    shutil.copy(model_path(PRESET) / "vocab.txt", tmp_path / "google")
    settings(do_lower_case=False, model_max_length=128)(tmp_path / "google")
    diagnosis = doctor(str(tmp_path / "google"))
    assert diagnosis.findings == diagnosis.skipped == ()


def of(words, **stored):
    """The findings on a vocabulary and the settings of its tokenizer."""
    case = Case(None, stored, Vocabulary([*SPECIAL, *words]), None)
    return [*letter_case(case), *hangul_and_accents(case)]


SMALL = [f"w{chr(97 + i)}" for i in range(26)]


@pytest.mark.parametrize(
    "words, stored, said",
    [
        (SMALL, {"do_lower_case": True}, []),
        (SMALL[:10], {}, []),  # too few to say
        (["영화", "##다"], {}, []),
        ([*SMALL, "W"], {"do_lower_case": False}, []),
        (SMALL, {"do_lower_case": False}, ['Set "do_lower_case": true']),
        (
            [*SMALL, "영화"],
            {"do_lower_case": False},
            ['"do_lower_case": true.*"strip_accents": false: it has Hangul'],
        ),
        (
            ["영화", "Seoul", "a"],
            {"do_lower_case": True},
            ['Set "do_lower_case": false'] * 2,
        ),
        (["영화"], {"do_lower_case": True}, ['Set "strip_accents": false']),
        (["영화"], {"do_lower_case": True, "strip_accents": False}, []),
        (["é", "e"], {"do_lower_case": True}, ['Set "strip_accents": false']),
        (["ᄒ", "ᅡ", "ᆫ"], {"do_lower_case": True}, []),
        (["ᄒ", "ᅡ", "##ᆫ"], {"do_lower_case": False}, ['"strip_accents": true']),
        (["한", "ㅋㅋ", "ㅠ"], {"do_lower_case": False}, []),  # of their own, not jamo
    ],
)
def test_settings_and_vocabularies(words, stored, said):
    changes = [finding.change for finding in of(words, **stored)]
    assert len(changes) == len(said), changes
    for change, message in zip(changes, said):
        assert re.search(message, change), change


def test_what_hangul_becomes_is_shown():
    (finding,) = of(["영화"], do_lower_case=True)
    assert "(by do_lower_case, which strip_accents follows" in finding.what
    assert '"영화" is looked up as ᄋ ᅧ ᆼ ᄒ ᅪ, and Korean text' in finding.what


def test_examine_takes_arrays():
    config = {"vocab_size": 6, "hidden_size": 4, "num_attention_heads": 2}
    case = Case(config, {}, Vocabulary([*SPECIAL, "영화"]), {WORDS: np.ones((6, 5))})
    found = {finding.check: finding for finding in examine(case)}
    assert "num_hidden_layers 12; the weights have 0" in (
        found["settings and weights fit"].what
    )


def test_one_tensor_is_read_at_a_time():
    read = []

    def reader(name):
        read.append(name)
        return np.zeros(3)

    found = NamedTensors({"a": ("b", False)}, reader)
    assert "a" in found and "c" not in found and len(found) == 1
    assert read == []
    assert found["a"].shape == (3,)
    assert read == ["b"]
    assert list(of_huggingface({"encoder.x.LayerNorm.beta": np.zeros(2)})) == [
        "bert.encoder.x.LayerNorm.bias"
    ]


def test_texts(directory, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("이 영화 정말 재미있다\n배우들의 연기가 좋았다.\n" * 20, "utf-8")
    diagnosis = doctor(str(directory), str(file))
    assert diagnosis.findings == ()
    assert diagnosis.passed[-4:] == tuple(check.title for check in TEXT_CHECKS)
    figures = diagnosis.figures
    assert (figures["num_texts"], figures["num_words"]) == (40, 140)
    assert figures["unknown_piece_rate"] == figures["cut_share"] == 0
    assert "40 texts: 0.00% of tokens unknown, " in str(diagnosis)


GOOD = "이 영화 정말 재미있다\n" * 20


@pytest.mark.parametrize(
    "text, expected",
    [
        (GOOD * 2 + "☃ 영화\n" * 3, ("warning", "unknown tokens", '1.8%.*often "☃"')),
        ("영화 ☃\n", ("error", "unknown tokens", '50.0% .*most often "☃"')),
        ("qwrtzpsdfghjklyxcvb\n", ("warning", "pieces per word", "cut into 1")),
        (
            GOOD + "영화 " * 127 + "\n",
            ("note", "texts read whole", "4.8%.*longest 129"),
        ),
        ("영화 " * 127 + "\n", ("warning", "texts read whole", "100.0%.*the 128 tok")),
    ],
)
def test_each_thing_amiss_with_texts(text, expected, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text(text, "utf-8")
    diagnosis = doctor(PRESET, str(file))
    (finding,) = diagnosis.findings
    level, check, message = expected
    assert finding.level == level
    assert finding.check.startswith(check)
    assert re.search(message, finding.what), finding.what
    assert diagnosis.exit_code == (level == "error")


def test_decomposed_texts(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text(GOOD * 50 + unicodedata.normalize("NFD", "영화\n"), "utf-8")
    (finding,) = doctor(PRESET, str(file)).findings
    assert (finding.level, finding.check) == ("warning", "Hangul of the texts")
    assert "1 of 1,001 texts" in finding.what
    assert 'unicodedata.normalize("NFC", text)' in finding.change


def test_texts_that_are_none(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\n\n", "utf-8")
    with pytest.raises(
        ValueError, match="Expected texts in .*, one a line; it is empt"
    ):
        doctor(PRESET, str(file))


def test_no_framework_is_started():
    code = (
        "import sys; from kbert.commands.doctor import doctor; "
        f"assert doctor({PRESET!r}).exit_code == 0; "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "write",
    [
        foreign_directories.data_parallel,
        foreign_directories.joint_bert,
        foreign_directories.h5_pretrainer,
        foreign_directories.google_classifier,
        foreign_directories.sentence_transformers_0,
    ],
)
def test_directories_of_other_makes_are_read(write, tmp_path):
    write(tmp_path / "model")
    diagnosis = doctor(str(tmp_path / "model"))
    assert diagnosis.exit_code == 0, diagnosis
    assert "all layers trained" in diagnosis.passed  # its tensors were found


def test_the_encoder_of_a_kerashub_task_of_somebodys_own(tmp_path):
    foreign_directories.kerashub_own(tmp_path / "model")
    assert "finite numbers" in doctor(str(tmp_path / "model")).passed
