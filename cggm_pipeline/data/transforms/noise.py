"""Gaussian noise."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from cggm_pipeline.data.transforms.base import Transform


class Noise(Transform):
    """Augmentation: x + n, n ~ N(0, `std`^2), independent for every number."""

    augments: ClassVar[bool] = True

    def __init__(self, *, std: float) -> None:
        self.std = std

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        draw = torch.randn(values.shape, generator=generator, device=values.device, dtype=values.dtype)
        return values + self.std * draw
