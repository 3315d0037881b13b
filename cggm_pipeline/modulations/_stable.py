"""Preset `stable`: ours. Classifiers that also teach their encoders, and coefficients that cannot explode."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.modulations._head import Head
from cggm_pipeline.modulations._paper import GradientCosine
from cggm_pipeline.modulations._preset import Coefficients, Preset, precise


class BoundedGain(Coefficients):
    """The paper's ratio on p_i = max(fast_i - slow_i, 0) + floor, running means of eps; B_i in [0, bound], neutral 1.

    B_i = min((S - p_i) / S * M / (M - 1), bound), S = sum_k p_k. No p_i is negative and S is never near 0, so no
    encoder's gradient is turned round.
    """

    fast: Tensor
    slow: Tensor
    steps: Tensor

    def __init__(
        self,
        modalities: int,
        device: torch.device,
        *,
        rates: tuple[float, float] = (0.1, 0.02),
        floor: float = 0.02,
        bound: float = 2.0,
    ) -> None:
        super().__init__()
        self.neutral = 1.0
        self._modalities, self._rates, self._floor, self._bound = modalities, rates, floor, bound
        zeros = torch.zeros(modalities, dtype=precise(device), device=device)
        self.register_buffer("fast", zeros)
        self.register_buffer("slow", zeros.clone())
        self.register_buffer("steps", torch.zeros((), dtype=precise(device), device=device))

    def forward(self, scores: Tensor) -> Tensor:
        fast, slow = self._means(scores)
        gains = (fast - slow).clamp_min(0) + self._floor
        total = gains.sum()
        return ((total - gains) / total * (self._modalities / (self._modalities - 1))).clamp(0, self._bound)

    def advance_(self, scores: Tensor) -> None:
        fast, slow = self._means(scores)
        self.fast.copy_(fast)
        self.slow.copy_(slow)
        self.steps.add_(1)

    def _means(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Running means with this step's scores; the first steps are plain means, so that nothing starts at 0."""
        fast, slow = ((1 / (self.steps + 1)).clamp_min(rate) for rate in self._rates)
        return torch.lerp(self.fast, scores, fast), torch.lerp(self.slow, scores, slow)


def stable(head: Head, modalities: int) -> Preset:
    return Preset(BoundedGain(modalities, head.weight.device), GradientCosine(), detach=False)
