"""Convolutional encoders for images and sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.activations import ACTIVATIONS, Activation
from cggm_pipeline.layers.features import Features, Input


class Conv(Encoder):
    """One convolution per entry of `channels`, halved by max-pooling between them: 1-D over (T, D), 2-D over (C, H, W).

    `output` "vector": the mean over space or unpadded time, (B, channels[-1]); "pyramid" (images only): every stage's
    map, finest first. Padded time steps are cut out before each convolution and never enter a maximum or the mean.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        channels: Sequence[int] = (16, 32),
        kernel: int = 3,
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = True,
        output: Literal["vector", "pyramid"] = "vector",
    ) -> None:
        super().__init__()
        if len(shape) not in (2, 3):
            raise BuildError(f"conv reads sequences (T, D) and images (C, H, W), but the shape is {tuple(shape)}")
        self.sequence = len(shape) == 2
        width = shape[-1] if self.sequence else shape[0]
        if width is None:
            raise BuildError(f"conv needs a fixed number of channels, but the shape is {tuple(shape)}")
        if self.sequence and output == "pyramid":
            raise BuildError(f"a pyramid needs images (C, H, W), but the shape is {tuple(shape)}; use output: vector")
        self.layout = output
        self.widths = tuple(channels) if output == "pyramid" else (channels[-1],)
        self.stages = nn.ModuleList()
        for wider in channels:
            self.stages.append(self._stage(width, wider, kernel, activation, dropout, batch_norm))
            width = wider

    def _stage(
        self, width: int, wider: int, kernel: int, activation: Activation, dropout: float, batch_norm: bool
    ) -> nn.Sequential:
        convolution, norm, drop = (
            (nn.Conv1d, nn.BatchNorm1d, nn.Dropout1d) if self.sequence else (nn.Conv2d, nn.BatchNorm2d, nn.Dropout2d)
        )
        layers: list[nn.Module] = [convolution(width, wider, kernel, padding=kernel // 2, bias=not batch_norm)]
        layers += [norm(wider)] if batch_norm else []
        layers.append(ACTIVATIONS[activation]())
        layers += [drop(dropout)] if dropout else []
        return nn.Sequential(*layers)

    def forward(self, x: Input) -> Features:
        weight = next(self.stages.parameters())
        values = x.values.to(weight.dtype)
        return self._sequence(values, x.mask) if self.sequence else self._image(values)

    def _image(self, values: Tensor) -> Features:
        maps: list[Tensor] = []
        for stage in self.stages:
            values = stage(F.max_pool2d(values, 2, ceil_mode=True) if maps else values)
            maps.append(values)
        return Features(maps if self.layout == "pyramid" else values.mean((2, 3)))

    def _sequence(self, values: Tensor, mask: Tensor | None) -> Features:
        values = values.transpose(1, 2)
        if mask is None:
            for number, stage in enumerate(self.stages):
                values = stage(F.max_pool1d(values, 2, ceil_mode=True) if number else values)
            return Features(values.mean(2))
        for number, stage in enumerate(self.stages):
            if number:
                values, mask = _pool(values, mask)
            values = stage(values.masked_fill(mask.unsqueeze(1), 0))[..., : mask.shape[1]]
        values = values.masked_fill(mask.unsqueeze(1), 0)
        return Features(values.sum(2) / (~mask).sum(1, keepdim=True).clamp_min(1))


def _pool(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Halve (B, C, T) values over the steps that are no padding; a pair of padded steps stays padding."""
    values = F.max_pool1d(values.masked_fill(mask.unsqueeze(1), -torch.inf), 2, ceil_mode=True)
    kept = F.max_pool1d((~mask).to(values.dtype).unsqueeze(1), 2, ceil_mode=True).squeeze(1) > 0
    return values, ~kept
