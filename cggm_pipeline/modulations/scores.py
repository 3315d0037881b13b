"""Scores that CGGM can compare: scalars in [0, 1], more is better, on the device of the predictions."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """Share of right classes. `logits` (B, C) or (B, C, ...), `target` (B) or (B, ...) with class indices."""
    return _share(logits.max(1).indices == target)  # of maps faster than argmax


def sign_accuracy(prediction: Tensor, target: Tensor) -> Tensor:
    """Share of predictions on the right side of zero; zero counts as negative. Both (B), (B, 1) or (B, K)."""
    return _share((prediction.reshape(target.shape) > 0) == (target > 0))


def _share(right: Tensor) -> Tensor:
    # CGGM divides by sums of differences of scores: float32 would round a sum of exactly 0 to something near 1e-8.
    precise = torch.float32 if right.device.type == "mps" else torch.float64
    return right.sum().to(precise) / right.numel()
