"""The mean of per-modality classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from cggm_pipeline.fusions.base import Fusion, blocks
from cggm_pipeline.layers.features import Features, Layout


class Late(Fusion):
    """z = [h_1 .. h_M] / M, so that a head W = [W_1 .. W_M] gives logits = (1/M) sum_m W_m h_m + b."""

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.width = sum(widths.values())
        self.blocks = blocks(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        return Features(torch.cat([features[name].tensor for name in sorted(features)], dim=1) / len(features))
