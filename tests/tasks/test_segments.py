"""A model of one segment takes one text: a pair is refused before it is computed."""

import pytest
import small_models

import kbert
from kbert.export.servable import load_servable
from kbert.export.served_model import ServedModel
from kbert.tasks.task import check_segments

MESSAGE = r"Expected a model with 2 segments, .*it has 1 \(type_vocab_size in config"
PAIRS = {
    "pairs": kbert.TextClassification(("a", "b"), ("text", "text_b")),
    "questions": kbert.QuestionAnswering(),
    "choices": kbert.MultipleChoice(),
}
TOKENIZER = kbert.BertTokenizer(small_models.TOKENS)


@pytest.fixture(scope="module")
def backbone():
    return small_models.backbone(num_segments=1)


@pytest.mark.parametrize("task", PAIRS.values(), ids=PAIRS)
def test_tasks_on_pairs(task, backbone, tmp_path):
    assert task.num_texts == 2
    with pytest.raises(ValueError, match=MESSAGE):
        task.build(backbone)
    # A directory that holds such a head all the same, as transformers would write it.
    two = task.build(small_models.backbone())
    one = type(two)(
        backbone, **({"num_classes": 2} if hasattr(two, "num_classes") else {})
    )
    kbert.save(one, tmp_path / "m", TOKENIZER, task.to_config())
    with pytest.raises(ValueError, match=MESSAGE):
        kbert.load_answerer(str(tmp_path / "m"))
    with pytest.raises(ValueError, match=MESSAGE):
        load_servable(str(tmp_path / "m"))


def test_fine_tuning_says_it_before_rows_are_packed(backbone, tmp_path):
    kbert.save(backbone, tmp_path / "m", TOKENIZER)
    rows = "text\ttext_b\tlabel\nthe movie\ta\t0\na movie\tthe\t1\n" * 4
    (tmp_path / "train.tsv").write_text(rows)
    with pytest.raises(ValueError, match=MESSAGE):
        kbert.finetune(
            str(tmp_path / "train.tsv"),
            str(tmp_path / "out"),
            task="classification",
            model=str(tmp_path / "m"),
            text_column=["text", "text_b"],
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "train.tsv"]


def test_pre_training_from_it(backbone, tmp_path):
    kbert.save(kbert.BertPretrainer(backbone), tmp_path / "m", TOKENIZER)
    (tmp_path / "corpus.txt").write_text("the movie\na movie\n\n" * 9)
    with pytest.raises(ValueError, match=MESSAGE):
        kbert.pretrain(
            [str(tmp_path / "corpus.txt")],
            vocabulary=str(tmp_path / "m"),
            start_from=str(tmp_path / "m"),
            output=str(tmp_path / "out"),
            sequence_length=16,
            steps=1,
        )


def test_vectors_of_a_pair(backbone):
    features = kbert.extract_features(backbone, TOKENIZER, ["the movie", ("a", "the")])
    with pytest.raises(ValueError, match=MESSAGE):
        next(features)
    (found,) = kbert.extract_features(backbone, TOKENIZER, ["the movie"])
    assert found["hidden_states"].shape == (1, 4, 16)


def test_next_sentence_is_not_served(backbone, tmp_path):
    kbert.save(kbert.BertPretrainer(backbone), tmp_path / "m", TOKENIZER)
    servable = load_servable(str(tmp_path / "m"))
    assert "next_sentence" not in ServedModel(servable).declared
    assert "fill_mask" in ServedModel(servable).declared


def test_one_text_is_right():
    check_segments(1, 1)
    check_segments(2, 2)
