"""The promise every fill keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features, Layout


class Fill(nn.Module, ABC):
    """Features with holes to features without. Built as `Class(widths, *, ...)` or `Class(widths, lengths, *, ...)`.

    `widths` as for a fusion. `lengths`: how many tokens each modality has, 1 for vectors; None where that varies.
    `accepts`: the layouts it takes; it changes none, and gives every modality that it is given.

    What stands in the rows of a modality that a sample lacks never matters, not even NaN. Rows that are there pass
    unchanged, with two exceptions that a class has to name: `drops`, in training it may empty rows that are there;
    `prompts`, it may add something to them and attach tokens to every sequence.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens", "pyramid"})
    drops: ClassVar[bool] = False
    prompts: ClassVar[bool] = False

    @abstractmethod
    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        """`present[name]`: (B,) bool, or None where every sample has the modality, which is the same as all True."""
