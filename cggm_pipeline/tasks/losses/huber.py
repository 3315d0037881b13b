"""Huber loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Huber(nn.Module):
    """Mean of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2) (Huber 1964); e of shape (B, K)."""

    def __init__(self, *, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(logits, target, delta=self.delta)
