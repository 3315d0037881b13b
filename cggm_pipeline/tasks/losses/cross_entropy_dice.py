"""Cross-entropy and soft Dice together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropyDice(nn.Module):
    """weight * cross-entropy + (1 - weight) * (1 - D) of logits (B, C, H, W) and class indices (B, H, W).

    D = 2 sum(p t) / (sum(p) + sum(t) + smooth), summed over the batch, all pixels and the classes from 1 on (the
    background is left out): CGGM's released code, whose `smooth` stands in the denominator alone. The cross-entropy is
    the mean over pixels, weighted by class as in torch.
    """

    class_weights: Tensor | None

    def __init__(
        self, *, weight: float = 0.5, class_weights: Sequence[float] | None = None, smooth: float = 0.01
    ) -> None:
        super().__init__()
        self.weight, self.smooth = weight, smooth
        weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float64)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        entropy = F.cross_entropy(logits, target, weight=weights)
        return self.weight * entropy + (1 - self.weight) * (1 - self._dice(logits, target))

    def _dice(self, logits: Tensor, target: Tensor) -> Tensor:
        foreground = logits.softmax(1)[:, 1:]
        right = foreground.gather(1, (target - 1).clamp_min(0).unsqueeze(1)).squeeze(1)
        inside = target > 0
        both = (right * inside).sum()
        return 2 * both / (foreground.sum() + inside.sum() + self.smooth)
