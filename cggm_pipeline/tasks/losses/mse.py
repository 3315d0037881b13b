"""Mean squared error."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class MSE(nn.Module):
    """Mean squared error of values (B, K) and targets of the same shape."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(logits, target)
