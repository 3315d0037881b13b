"""A convolution over time: the temporal projection in front of MulT."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.layers.transformer import mean_over_time


class Projection(Encoder):
    """(B, T, D) through dropout and one convolution over time, which keeps T, to `width` channels.

    `output`: "tokens" (B, T, width), with the padding mask; "mean" the mean of the unpadded ones, (B, width). Padded
    steps are zeros before the convolution and behind it. Tsai et al., ACL 2019 (MulT), section 3.2.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        width: int = 30,
        kernel: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        output: Literal["tokens", "mean"] = "tokens",
    ) -> None:
        super().__init__()
        if len(shape) != 2 or shape[1] is None:
            raise BuildError(f"projection reads sequences (T, D) of fixed D, but the shape is {tuple(shape)}")
        self.layout = "tokens" if output == "tokens" else "vector"
        self.widths = (width,)
        self.dropout = Dropout(dropout)
        self.convolution = nn.Conv1d(shape[1], width, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Input) -> Features:
        values = self.dropout(_emptied(x.values.to(self.convolution.weight.dtype), x.mask))
        tokens = self.convolution(values.transpose(1, 2))[..., : values.shape[1]].transpose(1, 2)
        tokens = _emptied(tokens, x.mask)
        if self.layout == "tokens":
            return Features(tokens, x.mask)
        return Features(mean_over_time(tokens, x.mask))


def _emptied(values: Tensor, mask: Tensor | None) -> Tensor:
    """Values (B, T, D) with zeros where padded."""
    return values if mask is None else values.masked_fill(mask.unsqueeze(-1), 0)
