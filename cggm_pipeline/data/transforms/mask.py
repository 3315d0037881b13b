"""Hidden time steps."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from cggm_pipeline.data.transforms.base import Transform
from cggm_pipeline.errors import DataError


class Mask(Transform):
    """Augmentation: set each time step of a sequence (B, T, D) to zero with probability `rate`."""

    augments: ClassVar[bool] = True

    def __init__(self, *, rate: float = 0.1) -> None:
        self.rate = rate

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        if values.ndim != 3:
            raise DataError(f"mask needs sequences (B, T, D), not shape {tuple(values.shape)}")
        draw = torch.rand(values.shape[:2], generator=generator, device=values.device)
        return values.masked_fill((draw < self.rate).unsqueeze(-1), 0)
