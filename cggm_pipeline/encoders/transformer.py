"""The sequence Transformer of MulT and CGGM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from cggm_pipeline.encoders.base import Encoder, Shape, Underway
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers import transformer
from cggm_pipeline.layers.cross_attention import key_bias
from cggm_pipeline.layers.features import Features, Input


class Transformer(Encoder):
    """(B, T, D) through a linear projection to `width`, positions, pre-norm blocks and a layer norm.

    `output`: "tokens" (B, T, width), with the padding mask; "first" the first token or "mean" the mean of the
    unpadded ones, (B, width). Tsai et al. 2019 (MulT); Guo et al. 2024 (CGGM), section 4.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        width: int = 40,
        heads: int = 5,
        layers: int = 4,
        attention_dropout: float = 0.1,
        relu_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embedding_dropout: float = 0.0,
        output: Literal["tokens", "first", "mean"] = "tokens",
    ) -> None:
        super().__init__()
        if len(shape) != 2 or shape[1] is None:
            raise BuildError(f"transformer reads sequences (T, D) of fixed D, but the shape is {tuple(shape)}")
        self.layout = "tokens" if output == "tokens" else "vector"
        self.widths = (width,)
        self.output = output
        self.projection = nn.Linear(shape[1], width)
        self.transformer = transformer.Transformer(
            width,
            heads,
            layers,
            attention_dropout=attention_dropout,
            relu_dropout=relu_dropout,
            residual_dropout=residual_dropout,
            embedding_dropout=embedding_dropout,
        )

    @property
    def trunk(self) -> Sequence[nn.Module]:
        return tuple(self.transformer.blocks)

    def enter(self, x: Input) -> Underway:
        values = x.values.to(self.projection.weight.dtype)
        tokens = self.transformer.embed(self.projection(values))
        return Underway(tokens, x.mask, (key_bias(tokens, tokens, x.mask, causal=self.transformer.causal),))

    def leave(self, tokens: Tensor, x: Input) -> Features:
        return self._features(self.transformer.norm(tokens), x)

    def forward(self, x: Input) -> Features:
        values = x.values.to(self.projection.weight.dtype)
        return self._features(self.transformer(self.projection(values), x.mask), x)

    def _features(self, tokens: Tensor, x: Input) -> Features:
        if self.output == "tokens":
            return Features(tokens, x.mask)
        return Features(tokens[:, 0] if self.output == "first" else transformer.mean_over_time(tokens, x.mask))
