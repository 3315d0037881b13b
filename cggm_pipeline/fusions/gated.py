"""Gated multimodal units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName


class Gated(Fusion):
    """z = sum_m sigmoid(G_m [h_1 .. h_M]) * tanh(P_m h_m), without biases (Arevalo et al. 2017, section 3.1)."""

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int], *, width: int = 64) -> None:
        super().__init__()
        self.width = width
        total = sum(widths.values())
        self.gates = ByName({name: nn.Linear(total, width, bias=False) for name in sorted(widths)})
        self.projections = ByName({name: nn.Linear(widths[name], width, bias=False) for name in sorted(widths)})

    def forward(self, features: Mapping[str, Features]) -> Features:
        everything = torch.cat([features[name].tensor for name in self.gates], dim=1)
        parts = [
            gate(everything).sigmoid() * self.projections[name](features[name].tensor).tanh()
            for name, gate in self.gates.items()
        ]
        return Features(torch.stack(parts).sum(0))
