"""A multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.activations import ACTIVATIONS, Activation
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Input


class MLP(Encoder):
    """The flattened input through linear layers; features (B, hidden[-1]). Padded time steps count as zeros."""

    def __init__(
        self,
        shape: Shape,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = [size for size in shape if size is not None]
        if not sizes or len(sizes) < len(shape):
            raise BuildError(f"mlp flattens its input and needs a fixed shape, but the shape is {tuple(shape)}")
        self.layout = "vector"
        self.widths = (hidden[-1],)
        layers: list[nn.Module] = []
        width = math.prod(sizes)
        for wider in hidden:
            layers.append(nn.Linear(width, wider))
            layers += [nn.BatchNorm1d(wider)] if batch_norm else []
            layers.append(ACTIVATIONS[activation]())
            layers += [Dropout(dropout)] if dropout else []
            width = wider
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Input) -> Features:
        values = x.values
        if x.mask is not None:
            values = values.masked_fill(x.mask.unsqueeze(-1), 0)
        weight = next(self.layers.parameters())
        return Features(self.layers(values.flatten(1).to(weight.dtype)))
