"""Which of the formats a path is in, and how it is opened."""

import importlib
from pathlib import Path

from kbert.checkpoints.checkpoint import Checkpoint

# Modules with `is_checkpoint(path)` and `read_checkpoint(path)`, in the order in which
# they are asked, and what each looks for. Imported only when it is their turn.
FORMATS = {
    "huggingface.directory": "Hugging Face (config.json and model.safetensors or "
    "pytorch_model.bin)",
    "tensorflow.google": "Google TF1 (bert_config.json and *.ckpt.index, or the path "
    "of a *.ckpt)",
    "tensorflow.model_garden": "TensorFlow 2 Model Garden (bert_config.json and an "
    "object-based checkpoint)",
    "keras.kerashub": "KerasHub preset (config.json and model.weights.h5)",
}


def find_checkpoint(path: str | Path) -> Checkpoint:
    """Opens a checkpoint of any format that kbert reads.

    Args:
        path: a directory, or what a format takes in place of one: the path of a TF1
            checkpoint, without ".index".

    Raises:
        FileNotFoundError: nothing is at the path, or a file of the format is missing.
        ValueError: it is in none of the formats (all are named), is damaged, or is not
            a BERT.
    """
    path = Path(path)
    for name in FORMATS:
        module = importlib.import_module(f"kbert.checkpoints.{name}")
        if module.is_checkpoint(path):
            return module.read_checkpoint(path)
    if path.is_dir():
        there = sorted(p.name for p in path.iterdir())
        there = ", ".join(there[:8] + ["…"] * (len(there) > 8)) or "nothing"
        what = f"in {path} there is {there}"
    else:
        what = f"{path} is {'a file' if path.exists() else 'not there'}"
    error = ValueError if path.exists() else FileNotFoundError
    raise error(
        f"Expected a checkpoint in one of these formats; {what}. Looked for: "
        f"{'; '.join(FORMATS.values())}; or a file saved as .keras."
    )
