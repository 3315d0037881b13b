"""A constant factor."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from cggm_pipeline.data.manifest import Statistics
from cggm_pipeline.data.transforms.base import Transform


class Scale(Transform):
    """x * `factor`."""

    def __init__(self, *, factor: float) -> None:
        self.factor = factor

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return values * self.factor

    def after(self, statistics: Statistics) -> Statistics:
        mean = tuple(self.factor * value for value in statistics.mean)
        return replace(statistics, mean=mean, std=tuple(abs(self.factor) * value for value in statistics.std))
