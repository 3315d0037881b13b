"""Mean absolute error."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class L1(nn.Module):
    """Mean absolute error of values (B, K) and targets of the same shape."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(logits, target)
