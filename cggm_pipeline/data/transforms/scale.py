"""A constant factor."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.data.transforms.base import Transform


class Scale(Transform):
    """x * `factor`."""

    def __init__(self, *, factor: float) -> None:
        self.factor = factor

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator | None) -> Tensor:
        return values * self.factor
