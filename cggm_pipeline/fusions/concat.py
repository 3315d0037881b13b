"""Features side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.fusions.base import Fusion, blocks
from cggm_pipeline.layers.activations import ACTIVATIONS, Activation
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Layout


class Concat(Fusion):
    """z = [h_1 .. h_M], sorted by name; with a `width`, z = act(P [h_1 .. h_M] + c). Dropout acts on z."""

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        width: int | None = None,
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        total = sum(widths.values())
        self.width = total if width is None else width
        self.blocks = blocks(widths) if width is None else None
        layers: list[nn.Module] = [] if width is None else [nn.Linear(total, width), ACTIVATIONS[activation]()]
        layers += [Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Mapping[str, Features]) -> Features:
        return Features(self.layers(torch.cat([features[name].tensor for name in sorted(features)], dim=1)))
