"""Moved images."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.data.transforms.base import Transform


class Shift(Transform):
    """Augmentation: move each image by whole pixels, uniform in +-`pixels` in both directions; zeros come in."""

    augments: ClassVar[bool] = True

    def __init__(self, *, pixels: int = 1) -> None:
        self.pixels = pixels

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        reach, (batch, _, height, width) = self.pixels, values.shape
        corner = torch.randint(0, 2 * reach + 1, (2, batch, 1, 1), generator=generator, device=values.device)
        padded = F.pad(values, (reach, reach, reach, reach))
        rows = corner[0] + torch.arange(height, device=values.device).view(1, -1, 1)
        columns = corner[1] + torch.arange(width, device=values.device).view(1, 1, -1)
        samples = torch.arange(batch, device=values.device).view(-1, 1, 1)
        return padded.permute(0, 2, 3, 1)[samples, rows, columns].permute(0, 3, 1, 2).contiguous()
