"""Modalities are dropped at random in training, so that a network learns to do without."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills._absent import emptied, there
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.layers.features import Features


class ModalityDropout(Fill):
    """In training every modality that a sample has is dropped with its rate; what is dropped or absent becomes zeros.

    Each sample and modality for itself, but one stays: where all would go, one of those that are there is kept, each
    with the same chance. `rate`: of every modality, or by name, 0 for those that are not named. In evaluation only what
    is absent becomes zeros. What is dropped here is dropped from the features alone: a modulation that looks at the
    inputs sees the sample as it came.
    """

    drops = True
    rates: Tensor

    def __init__(self, widths: Mapping[str, int | tuple[int, ...]], *, rate: float | Mapping[str, float] = 0.3) -> None:
        super().__init__()
        self.names = tuple(sorted(widths))
        by_name = rate if isinstance(rate, Mapping) else dict.fromkeys(self.names, rate)
        if unknown := sorted(set(by_name) - set(self.names)):
            raise BuildError(f"rate: there is no modality '{unknown[0]}' (allowed: {', '.join(self.names)})")
        self.register_buffer("rates", torch.tensor([by_name.get(name, 0.0) for name in self.names]), persistent=False)

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        if not self.training:
            return {name: emptied(value, present.get(name)) for name, value in features.items()}
        had = torch.stack([there(features[name], present.get(name)) for name in self.names], dim=1)
        kept = dict(zip(self.names, self._kept(had).unbind(1), strict=True))
        return {name: emptied(value, kept[name]) for name, value in features.items()}

    def _kept(self, had: Tensor) -> Tensor:
        """Of the modalities that each sample has, (B, M) bool, sorted by name, those that stay."""
        drawn, order = torch.rand(2, *had.shape, device=had.device).unbind()
        places = torch.arange(len(self.names), device=had.device)
        spared = order.masked_fill(~had, -1).argmax(1, keepdim=True).eq(places)
        kept = had & drawn.ge(self.rates)
        return kept | (had & spared & ~kept.any(1, keepdim=True))
