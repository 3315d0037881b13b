"""The promise every encoder keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from cggm_pipeline.layers.features import Features, Input, Layout

Shape = tuple[int | None, ...]
"""One sample's shape without the batch axis: (D,), (T, D) or (C, H, W); None where it varies."""


class Encoder(nn.Module, ABC):
    """One modality's input to features. Built as `Class(shape, *, ...)`.

    `layout` is the form of the features, `widths` their channel counts: one, or several for a pyramid, finest first.
    """

    layout: Layout
    widths: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Input) -> Features:
        """Input (B, ...) to features with batch axis B. Rows are independent of one another in eval mode."""
