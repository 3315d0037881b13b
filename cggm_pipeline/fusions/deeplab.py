"""One DeepLabv3+ decoder for the pyramids of all modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.base import Fusion, joined, level_widths
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Layout


class DeepLab(Fusion):
    """z = conv(conv([up(coarsest_1 .. coarsest_M), P [low_1 .. low_M]])), (B, width, H', W') of the low-level maps.

    conv: 3x3, batch norm, ReLU, dropout; P: 1x1 to `low_width`, batch norm, ReLU; up: bilinear (align_corners false) to
    the low-level maps' size. `low_level` is their place in the pyramids, finest first: 2 in pyramids that begin with
    the image is a quarter of it. Chen et al. 2018 (DeepLabv3+), section 3.1; one for all modalities as in CGGM's code.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"pyramid"})
    dense: ClassVar[bool] = True

    def __init__(
        self,
        widths: Mapping[str, tuple[int, ...]],
        *,
        width: int = 256,
        low_width: int = 48,
        low_level: int = 2,
        dropout: tuple[float, float] = (0.5, 0.1),
    ) -> None:
        super().__init__()
        levels = level_widths(widths)
        if low_level >= len(levels) - 1:
            raise BuildError(
                f"low_level: {low_level} is not before the last of {len(levels)} maps (allowed: 0 to {len(levels) - 2})"
            )
        self.width, self.low_level = width, low_level
        self.low = nn.Sequential(*_convolution(levels[low_level], low_width, 1))
        self.first = nn.Sequential(*_convolution(levels[-1] + low_width, width, 3), Dropout(dropout[0]))
        self.second = nn.Sequential(*_convolution(width, width, 3), Dropout(dropout[1]))

    def forward(self, features: Mapping[str, Features]) -> Features:
        low = self.low(joined(features, self.low_level))
        coarsest = F.interpolate(joined(features, -1), size=low.shape[2:], mode="bilinear", align_corners=False)
        return Features(self.second(self.first(torch.cat([coarsest, low], dim=1))))


def _convolution(width: int, channels: int, kernel: int) -> list[nn.Module]:
    convolution = nn.Conv2d(width, channels, kernel, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
