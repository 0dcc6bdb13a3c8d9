"""How deep a weight lies in a BERT, for learning rates that fall with the depth."""

import re
from collections.abc import Iterable


def layer_depths(paths: Iterable[str]) -> list[int]:
    """How far below a model's head its weights lie, by their paths.

    0 for heads and pooler, 1 for the highest encoder block, and so on down; the
    embeddings lie one below block 0. The highest block is that of the paths given.

    >>> paths = ["encoder_block_1/x", "encoder_block_0/x", "embeddings/x"]
    >>> layer_depths(["classifier/bias", *paths])
    [0, 1, 2, 3]

    Sun et al. (2019, "How to Fine-Tune BERT for Text Classification?", 5.3.2) let each
    layer learn more slowly than the one above. ELECTRA (`_get_layer_lrs` in
    google-research/electra) counts alike, but starts at 2 with the highest block, and
    so ends at `num_layers` + 2 with the embeddings. The decoder of a masked language
    model is the token embedding itself and lies with it.

    Raises:
        ValueError: no path is of an encoder block.
    """
    paths = list(paths)
    blocks = [re.search(r"(?:^|/)encoder_block_(\d+)/", path) for path in paths]
    numbers = [int(block[1]) for block in blocks if block]
    if not numbers:
        raise ValueError(
            "layer_decay is for the layers of a BertBackbone: expected trainable "
            "weights whose paths hold encoder_block_0/, encoder_block_1/, and so on; "
            f"got {', '.join(paths[:3]) or 'none'}. Leave it at 1.0."
        )
    top, depths = max(numbers), []
    for path, block in zip(paths, blocks, strict=True):
        if block:
            depths.append(top + 1 - int(block[1]))
        else:
            depths.append(top + 2 if re.search("(?:^|/)embeddings/", path) else 0)
    return depths
