"""Do a tokenizer's vocabulary and a model's token embedding belong together?"""

from kbert.models.backbone import BertBackbone
from kbert.text.vocabulary import Vocabulary


def check_rows(vocabulary: Vocabulary, backbone: BertBackbone) -> None:
    """Every id must have a row; rows without a token are never met.

    Raises:
        ValueError: more tokens than rows.
    """
    rows = backbone.vocabulary_size
    if len(vocabulary) > rows:
        raise ValueError(
            f"Expected a vocabulary of at most {rows:,} tokens, the rows of the "
            f"model's token embedding; it has {len(vocabulary):,}: another model's. "
            "Take the tokenizer that lies beside the model."
        )
