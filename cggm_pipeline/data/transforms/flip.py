"""Mirrored images."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from cggm_pipeline.data.transforms.base import Transform


class Flip(Transform):
    """Augmentation: mirror each image left to right (its last axis) with probability `probability`."""

    augments: ClassVar[bool] = True

    def __init__(self, *, probability: float = 0.5) -> None:
        self.probability = probability

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        draw = torch.rand(len(values), generator=generator, device=values.device)
        mirrored = (draw < self.probability).view(-1, *[1] * (values.ndim - 1))
        return torch.where(mirrored, values.flip(-1), values)
