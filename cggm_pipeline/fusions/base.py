"""The promise every fusion keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from cggm_pipeline.layers.features import Features, Layout


class Fusion(nn.Module, ABC):
    """Features of all modalities to one z, which one linear head reads. Built as `Class(widths, *, ...)`.

    `widths` maps each modality to its features' width (a tuple of widths for pyramids). `width` is the channel count
    of z. `blocks` says where each modality's own features lie in z's channels; None where z mixes them. The order of
    the mapping never matters: modalities are sorted by name.
    """

    accepts: ClassVar[frozenset[Layout]]
    width: int
    blocks: Mapping[str, slice] | None = None

    @abstractmethod
    def forward(self, features: Mapping[str, Features]) -> Features:
        """The features of every modality to z with `width` channels."""


def blocks(widths: Mapping[str, int]) -> dict[str, slice]:
    """Where each modality lies in a concatenation that is sorted by name."""
    places, start = {}, 0
    for name in sorted(widths):
        places[name] = slice(start, start + widths[name])
        start += widths[name]
    return places
