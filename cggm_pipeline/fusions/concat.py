"""Features side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.base import Fusion, blocks
from cggm_pipeline.layers.activations import ACTIVATIONS, Activation
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.residual import Residual


class Concat(Fusion):
    """z = [h_1 .. h_M], sorted by name; with a `width`, z = act(P [h_1 .. h_M] + c). Dropout acts on z.

    `residual` adds a block behind the projection, z <- z + W2 drop(relu(W1 z)), as MulT's sequence networks have it.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        width: int | None = None,
        activation: Activation = "relu",
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if residual and width is None:
            raise BuildError("residual: it stands behind a projection; give concat a width")
        total = sum(widths.values())
        self.width = total if width is None else width
        self.blocks = blocks(widths) if width is None else None
        layers: list[nn.Module] = [] if width is None else [nn.Linear(total, width), ACTIVATIONS[activation]()]
        layers += [Residual(width, dropout)] if residual and width is not None else []
        layers += [Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Mapping[str, Features]) -> Features:
        return Features(self.layers(torch.cat([features[name].tensor for name in sorted(features)], dim=1)))
