"""Every tensor that crosses from one stage to the next, declared once.

Letters, here and everywhere: B batch, L sequence length, M masked positions,
D hidden dim, H heads, V vocabulary, C classes. Shapes leave the batch out, as
`keras.Input` does; None is an axis that may differ from batch to batch.

    [CLS] a1 a2 [SEP] b1 [SEP], L=8 ->
        token_ids    [2, 7, 8, 3, 9, 3, 0, 0]
        segment_ids  [0, 0, 0, 0, 1, 1, 0, 0]
        padding_mask [1, 1, 1, 1, 1, 1, 0, 0]
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Feature:
    """Name, shape without the batch axis, and dtype of one tensor."""

    name: str
    shape: tuple
    dtype: str
    meaning: str

    @property
    def axes(self) -> str:
        """A letter for each axis, the batch's first.

        >>> TOKEN_IDS.axes
        'BL'
        """
        return "".join(filter(str.isupper, self.meaning.partition(")")[0]))


TOKEN_IDS = Feature("token_ids", (None,), "int32", "(B, L) rows of the vocabulary")
SEGMENT_IDS = Feature(
    "segment_ids", (None,), "int32", "(B, L) 0 for [CLS] A [SEP] and padding, 1 for B"
)
PADDING_MASK = Feature(
    "padding_mask", (None,), "int32", "(B, L) 1 = may be attended to, 0 = padding"
)
MASK_POSITIONS = Feature(
    "mask_positions", (None,), "int32", "(B, M) where to predict; 0 where unused"
)

SEQUENCE_OUTPUT = Feature(
    "sequence_output", (None, None), "float32", "(B, L, D) one vector per token"
)
POOLED_OUTPUT = Feature(
    "pooled_output", (None,), "float32", "(B, D) tanh(dense([CLS]))"
)

MASKED_LM = Feature(
    "masked_lm", (None,), "int32", "(B, M) the token that stood at each mask position"
)
NEXT_SENTENCE = Feature(
    "next_sentence", (), "int32", "(B,) 0 = B follows A, 1 = B is random"
)

BACKBONE_INPUTS = (TOKEN_IDS, SEGMENT_IDS, PADDING_MASK)
BACKBONE_OUTPUTS = (SEQUENCE_OUTPUT, POOLED_OUTPUT)
PRETRAINER_INPUTS = (*BACKBONE_INPUTS, MASK_POSITIONS)
PRETRAINER_TARGETS = (MASKED_LM, NEXT_SENTENCE)


def with_axis(features: tuple[Feature, ...], letter: str) -> tuple[Feature, ...]:
    """The same tensors with one more axis behind the batch: several rows an example.

    >>> (choices,) = with_axis((TOKEN_IDS,), "C")
    >>> choices.shape, choices.meaning
    ((None, None), '(B, C, L) rows of the vocabulary')
    """
    return tuple(
        dataclasses.replace(
            feature,
            shape=(None, *feature.shape),
            meaning=feature.meaning.replace("(B, ", f"(B, {letter}, ", 1),
        )
        for feature in features
    )
