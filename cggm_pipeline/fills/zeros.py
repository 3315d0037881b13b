"""Absent features become zeros."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from cggm_pipeline.fills._absent import emptied
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.layers.features import Features


class Zeros(Fill):
    """Rows of an absent modality are zeros, whatever its encoder says about an empty input."""

    def __init__(self, widths: Mapping[str, int | tuple[int, ...]]) -> None:
        super().__init__()

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        return {name: emptied(value, present.get(name)) for name, value in features.items()}
