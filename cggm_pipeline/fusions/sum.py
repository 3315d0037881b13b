"""Projections added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName


class Sum(Fusion):
    """z = sum_m (P_m h_m + c_m)."""

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int], *, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.projections = ByName({name: nn.Linear(widths[name], width) for name in sorted(widths)})

    def forward(self, features: Mapping[str, Features]) -> Features:
        parts = [projection(features[name].tensor) for name, projection in self.projections.items()]
        return Features(torch.stack(parts).sum(0))
