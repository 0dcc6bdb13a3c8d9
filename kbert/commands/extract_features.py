"""`kbert extract-features`: vectors of texts in the lines of google-research/bert."""

import sys
from collections.abc import Iterator

from kbert.checkpoints.local_path import local_path
from kbert.commands.early_checks import check_counts, check_file, check_model
from kbert.disk.text_lines import utf8_lines

SEPARATOR = " ||| "  # between the two texts of a pair, as in Google's tool
_DIGITS = 6  # after the point, as there


def feature_lines(
    model: str,
    data: str = "-",
    layers: list[int] | None = None,
    sequence_length: int | None = None,
    batch_size: int = 32,
) -> Iterator[dict]:
    """Write the vectors of texts, token by token; one JSON object a line.

    The lines are those of google-research/bert's extract_features.py. In Python,
    kbert.extract_features gives arrays, the place of each token in its text, and
    attention maps.

    Args:
        model: a model directory or a preset's name.
        data: a UTF-8 file with one text a line, or - for standard input; the two texts
            of a pair are parted by " ||| ".
        layers: -1 for the last block, -2 for the one before and so on, or 1, 2, … from
            the first; 0 is the embeddings' output. By default the last four blocks, or
            as many as there are.
        sequence_length: tokens that a text, or a pair, is cut to; by default the
            model's longest.
        batch_size: texts computed at once.

    Returns: for each text, `linex_index` (its line, from 0; Google's spelling) and
        `features`: for each token, special ones counted, `token` and `layers`, each
        with its `index` and D `values`.
    """
    check_model(model)
    check_file(data if data != "-" else None, "a file of texts, one a line")
    check_counts(sequence_length=sequence_length, batch_size=batch_size)
    path = local_path(model)
    from kbert.checkpoints.load_and_save import load_backbone, load_tokenizer
    from kbert.tasks.feature_extraction import extract_features
    from kbert.text.preprocessor import BertPreprocessor

    backbone = load_backbone(path)
    layers = layers or [-1, -2, -3, -4][: backbone.num_layers]
    preprocessor = BertPreprocessor(
        load_tokenizer(path), sequence_length or backbone.max_sequence_length
    )
    lines = (line.strip() for line in sys.stdin) if data == "-" else utf8_lines(data)
    features = extract_features(
        backbone, preprocessor, _pairs(lines), layers, batch_size=batch_size
    )
    return (_line(number, row, layers) for number, row in enumerate(features))


def _pairs(lines):
    for line in lines:
        first, separator, second = line.partition(SEPARATOR)
        yield (first, second) if separator else line


def _line(number, row, layers):
    values = row["hidden_states"].astype("float64").round(_DIGITS)
    tokens = [
        {
            "token": token,
            "layers": [
                {"index": layer, "values": values[i, place].tolist()}
                for i, layer in enumerate(layers)
            ],
        }
        for place, token in enumerate(row["tokens"])
    ]
    return {"linex_index": number, "features": tokens}
