"""Focal loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Focal(nn.Module):
    """Mean of (1 - p_y) ** gamma * -log p_y (Lin et al. 2017, equation 5 without class weights)."""

    def __init__(self, *, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        entropy = F.cross_entropy(logits, target, reduction="none")
        # 1 - p without cancellation; bounded away from 0, where a power below 1 or 2 has no first or second derivative
        missed = -(-entropy).expm1()
        return (missed.clamp_min(1e-12) ** self.gamma * entropy).mean()
