"""Feature-wise linear modulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName


class Film(Fusion):
    """z = gamma(h_c) * sum_m P_m h_m + beta(h_c) with c = `condition` and m over the others (Perez et al. 2018).

    gamma is 1 plus a linear map, so that a small h_c leaves the others as they are.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int], *, condition: str, width: int = 64) -> None:
        super().__init__()
        if condition not in widths:
            raise BuildError(f"condition: there is no modality '{condition}' (allowed: {', '.join(sorted(widths))})")
        if len(widths) < 2:
            raise BuildError("film needs a modality besides its condition")
        self.width = width
        self.condition = condition
        others = sorted(set(widths) - {condition})
        self.projections = ByName({name: nn.Linear(widths[name], width) for name in others})
        self.affine = nn.Linear(widths[condition], 2 * width)

    def forward(self, features: Mapping[str, Features]) -> Features:
        parts = [projection(features[name].tensor) for name, projection in self.projections.items()]
        gamma, beta = self.affine(features[self.condition].tensor).chunk(2, dim=1)
        return Features((1 + gamma) * torch.stack(parts).sum(0) + beta)
