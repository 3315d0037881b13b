"""The promise every fill keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features


class Fill(nn.Module, ABC):
    """Features with holes to features without. Built as `Class(widths, *, ...)`, widths as for a fusion."""

    @abstractmethod
    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        """`present[name]`: (B,) bool, or None where every sample has the modality. Present rows pass unchanged."""
