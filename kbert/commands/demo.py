"""The whole length once, on what the package ships: under three minutes on 2 cores."""

from pathlib import Path

from kbert.commands.backends import check_backend
from kbert.commands.early_checks import check_output
from kbert.text.tokenizer_files import PRESETS

PRESET = "kbert_tiny_ko_en"
SAMPLES = PRESETS / "samples"
MASKED = (
    "이 영화 정말 [MASK]",
    "배우들의 연기가 [MASK] 좋았다.",
    "존경하는 대통령님, [MASK] 드립니다.",
    "She looked at [MASK] and smiled.",
    "He did not know what to [MASK].",
)
TYPED = (
    "정말 재미있게 봤습니다. 최고의 영화!",
    "시간이 아깝다. 돈 주고 보지 마세요",
    "배우들 연기가 훌륭하고 감동적이에요",
    "지루하고 유치해서 중간에 껐다",
)
VERDICTS = {"0": "negative", "1": "positive"}


def demo(output: str = "kbert-demo", overwrite: bool = False) -> Path:
    """Try everything on the shipped model: fill masks, fine-tune, export, serve.

    Loads the shipped Korean and English model, fills masks, fine-tunes it on 2,000
    shipped Korean movie reviews (NSMC), exports the classifier, loads the SavedModel as
    a server would, and classifies sentences. Works offline.

    Args:
        output: the directory for the classifier and its SavedModel.
        overwrite: replace an output directory that exists.
    """
    check_backend("The demo, which ends with an export,")
    check_output(output, overwrite)
    output = Path(output)
    import tensorflow as tf

    from kbert.checkpoints.load_and_save import load, load_tokenizer
    from kbert.commands.evaluate import evaluate
    from kbert.commands.export import export_saved_model
    from kbert.commands.finetune import finetune
    from kbert.tasks.fill_mask import fill_masks

    print(f"1. {PRESET} fills masks")
    shipped = PRESETS / PRESET  # by path: a directory of that name may lie here
    model, tokenizer = load(shipped), load_tokenizer(shipped)
    for text in MASKED:
        (found,) = fill_masks(model, tokenizer, text, top_k=3)
        tokens = ", ".join(f"{row['token']} {row['score']:.0%}" for row in found)
        print(f"   {text}\n     -> {tokens}")

    print("2. Fine-tuning on 2,000 Korean movie reviews, testing on 500 others")
    classifier = finetune(
        str(SAMPLES / "nsmc_train.tsv"),
        str(output / "classifier"),
        "classification",
        str(shipped),
        text_column=["document"],
        sequence_length=64,
        overwrite=overwrite,
    )
    scores = evaluate(str(classifier), str(SAMPLES / "nsmc_test.tsv"))
    print(f"   accuracy {scores['accuracy']:.1%} on {scores['num_examples']} reviews")

    print("3. Exporting, and loading the SavedModel without kbert's code")
    version = export_saved_model(str(classifier), str(output / "saved_models"), "nsmc")
    served = tf.saved_model.load(str(version))
    answers = served.signatures["serving_default"](text=tf.constant(TYPED))
    for text, label, score in zip(
        TYPED, answers["label"].numpy(), answers["score"].numpy()
    ):
        print(f"   {VERDICTS[label.decode()]} {score:.0%}  {text}")
    print(f"Done: {version} takes strings.")
    return output
