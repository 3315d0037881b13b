"""The promise every fusion keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Layout


class Fusion(nn.Module, ABC):
    """Features of all modalities to one z, which one linear head reads. Built as `Class(widths, *, ...)`.

    `widths` maps each modality to its features' width (a tuple of widths for pyramids). `width` is the channel count
    of z. `blocks` says where each modality's own features lie in z's channels; None where z mixes them. `dense`: z is a
    map (B, C, H, W), read by a 1x1 convolution. `subsets`: `forward` takes features of any of the modalities. The order
    of the mapping never matters: modalities are sorted by name.
    """

    accepts: ClassVar[frozenset[Layout]]
    dense: ClassVar[bool] = False
    subsets: ClassVar[bool] = False
    width: int
    blocks: Mapping[str, slice] | None = None

    @abstractmethod
    def forward(self, features: Mapping[str, Features]) -> Features:
        """The features of every modality to z with `width` channels."""

    def head(self, out_features: int) -> nn.Module:
        """What makes logits from z: one linear layer, or a 1x1 convolution where z is a map."""
        return nn.Conv2d(self.width, out_features, 1) if self.dense else nn.Linear(self.width, out_features)


def blocks(widths: Mapping[str, int]) -> dict[str, slice]:
    """Where each modality lies in a concatenation that is sorted by name."""
    places, start = {}, 0
    for name in sorted(widths):
        places[name] = slice(start, start + widths[name])
        start += widths[name]
    return places


def level_widths(widths: Mapping[str, tuple[int, ...]]) -> list[int]:
    """The channels of every level of all pyramids side by side, finest first; BuildError where depths differ."""
    depths = {name: len(widths[name]) for name in sorted(widths)}
    if len(set(depths.values())) != 1:
        found = ", ".join(f"{name} {depth}" for name, depth in depths.items())
        raise BuildError(f"pyramids are joined level by level, but their numbers of maps are: {found}")
    return [sum(level) for level in zip(*widths.values(), strict=True)]


def joined(features: Mapping[str, Features], level: int) -> Tensor:
    """One level of all pyramids side by side, (B, C, H, W), sorted by name."""
    return torch.cat([features[name].values[level] for name in sorted(features)], dim=1)
