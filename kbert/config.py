"""The sizes of a BERT, as one frozen value and as functions named after them."""

import dataclasses

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "silu", "tanh")


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Everything that fixes the shape and the arithmetic of a `BertBackbone`.

    The fields are the constructor arguments of `kbert.BertBackbone`, one for one:
    `BertBackbone(**config.arguments())`. Defaults are BERT base, uncased (Devlin et
    al., 2018, section 3; google-research/bert, `modeling.py`).

    Attributes:
        vocabulary_size: rows of the token embedding (V).
        num_layers: encoder blocks.
        num_heads: attention heads per block (H); divides `hidden_dim`.
        hidden_dim: width of every vector between blocks (D).
        intermediate_dim: width inside the feed-forward part, usually 4 D.
        activation: "gelu" (erf form; Hugging Face), "gelu_tanh" (Google's code),
            "relu", "silu" or "tanh".
        dropout: share of hidden values dropped in training, 0 to 1.
        attention_dropout: share of attention probabilities dropped in training.
        max_sequence_length: rows of the position embedding; the longest input.
        num_segments: rows of the segment embedding; 2 for [A, B].
        layer_norm_epsilon: added to the variance in every layer norm.
        initializer_range: standard deviation of the truncated normal that fills
            new kernels and embeddings.

    Raises:
        ValueError: a size that is not positive, heads that do not divide the hidden
            dim, a rate outside [0, 1), or an activation nobody knows.
    """

    vocabulary_size: int = 30522
    num_layers: int = 12
    num_heads: int = 12
    hidden_dim: int = 768
    intermediate_dim: int = 3072
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    max_sequence_length: int = 512
    num_segments: int = 2
    layer_norm_epsilon: float = 1e-12
    initializer_range: float = 0.02

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int") and (not isinstance(value, int) or value < 1):
                raise ValueError(
                    f"{field.name} must be a positive integer; got {value!r}."
                )
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                "hidden_dim must be a multiple of num_heads; got "
                f"hidden_dim={self.hidden_dim}, num_heads={self.num_heads}."
            )
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 0 and below 1; got {getattr(self, name)}."
                )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}; got "
                f"{self.activation!r}."
            )

    def arguments(self) -> dict:
        """The fields as keyword arguments of `BertBackbone`."""
        return dataclasses.asdict(self)


def _sized(num_layers: int, hidden_dim: int, num_heads: int, overrides: dict):
    sizes = {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": num_heads,
        "intermediate_dim": 4 * hidden_dim,
    }
    return BertConfig(**(sizes | overrides))


def bert_tiny(**overrides) -> BertConfig:
    """2 layers, D=128, 2 heads: 4.4M parameters with V=30522."""
    return _sized(2, 128, 2, overrides)


def bert_mini(**overrides) -> BertConfig:
    """4 layers, D=256, 4 heads: 11.2M parameters with V=30522."""
    return _sized(4, 256, 4, overrides)


def bert_small(**overrides) -> BertConfig:
    """4 layers, D=512, 8 heads: 28.8M parameters with V=30522."""
    return _sized(4, 512, 8, overrides)


def bert_medium(**overrides) -> BertConfig:
    """8 layers, D=512, 8 heads: 41.4M parameters with V=30522."""
    return _sized(8, 512, 8, overrides)


def bert_base(**overrides) -> BertConfig:
    """12 layers, D=768, 12 heads: 109.5M parameters with V=30522."""
    return _sized(12, 768, 12, overrides)


def bert_large(**overrides) -> BertConfig:
    """24 layers, D=1024, 16 heads: 335.1M parameters with V=30522."""
    return _sized(24, 1024, 16, overrides)


SIZES = {
    "tiny": bert_tiny,
    "mini": bert_mini,
    "small": bert_small,
    "medium": bert_medium,
    "base": bert_base,
    "large": bert_large,
}
