"""Preset `stable`: ours. Each encoder follows its own classifier as far as that is as good as the fused prediction.

Chosen and measured in docs/decisions/0002-stable-preset.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.modulations._head import Head
from cggm_pipeline.modulations._preset import Coefficients, Preset, precise


class Shortfall(Coefficients):
    """B_i = 1 / (1 + w_i),  w_i = 5 lam e_i / (max(e - e_i, 0) + margin); an encoder's gradient is a weighted mean.

    e_i: running mean of classifier i's score, e: of the fused prediction's, both up to the step before (0 at first).
    w_i (`guidance`) multiplies what classifier i's loss tells encoder i, then rho B_i the encoder's whole gradient:

        grad(encoder i) <- rho (B_i dL/d theta_i + (1 - B_i) dL_i/d theta_i)

    For scores in [0, 1]: 0 <= w_i <= 5 lam / margin and 1 / (1 + 5 lam / margin) <= B_i <= 1: no gradient is turned
    round, none explodes. A classifier that learns nothing while the fused prediction does leaves its encoder to L.
    """

    own: Tensor
    fused: Tensor
    steps: Tensor

    def __init__(
        self, modalities: int, device: torch.device, lam: float = 0.2, *, rate: float = 0.05, margin: float = 0.05
    ) -> None:
        super().__init__()
        self.neutral = 1.0
        self._strength, self._rate, self._margin = 5 * lam, rate, margin
        self.register_buffer("own", torch.zeros(modalities, dtype=precise(device), device=device))
        self.register_buffer("fused", torch.zeros((), dtype=precise(device), device=device))
        self.register_buffer("steps", torch.zeros((), dtype=precise(device), device=device))

    def forward(self, scores: Tensor) -> Tensor:
        return 1 / (1 + self.guidance())

    def guidance(self) -> Tensor:
        return self._strength * self.own / ((self.fused - self.own).clamp_min(0) + self._margin)

    def advance_(self, scores: Tensor, fused: Tensor) -> None:
        self.steps.add_(1)
        rate = (1 / self.steps).clamp_min(self._rate)  # the first steps are a plain mean
        self.own.lerp_(scores, rate)
        self.fused.lerp_(fused, rate)


def stable(head: Head, modalities: int, lam: float) -> Preset:
    return Preset(Shortfall(modalities, head.weight.device, lam), direction=None)
