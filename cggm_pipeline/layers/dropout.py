"""Dropout that draws only where it drops.

On a CPU torch draws one random number per element, serially, and that is most of dropout's cost. The gaps between
dropped elements of independent Bernoulli(p) draws are independent geometric numbers, so drawing p * n gaps gives
exactly the same distribution: gap = floor(log(u) / log(1 - p)), u uniform on the 53-bit grid of [0, 1).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SPARSE = 0.25
"""Above this rate the gaps are so short that torch's own masks are as cheap."""

SMALL = 4096
"""Below this number of elements the fixed cost of drawing gaps exceeds torch's own."""


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """x with each element set to 0 with probability p, independently, and the others divided by 1 - p.

    Any shape. On a CPU by geometric gaps where that is cheaper; elsewhere torch's fused kernel.
    """
    if not training or p == 0:
        return x
    if x.device.type != "cpu" or p > SPARSE or x.numel() < SMALL:
        return F.dropout(x, p)
    dropped: Tensor = _Drop.apply(x, dropped_places(x.numel(), p), 1 / (1 - p))
    return dropped


def dropped_places(n: int, p: float) -> Tensor:
    """Ascending places in range(n) that n independent Bernoulli(p) draws drop, padded with n.

    Ten standard deviations more gaps are drawn than are expected; that they do not reach n is less likely than 1e-20.
    """
    draws = min(n, math.ceil(n * p + 10 * math.sqrt(n * p * (1 - p)) + 50))
    gaps = torch.rand(draws, dtype=torch.float64).log_().div_(math.log1p(-p)).clamp_(max=n)  # log 0 becomes n
    steps = gaps.to(torch.int64).add_(1)
    steps[0].sub_(1)
    return steps.cumsum_(0).clamp_(max=n)


class _Drop(torch.autograd.Function):
    """x * scale with zeros at `places`; its own derivative, so differentiable any number of times."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(places)
        ctx.scale = scale
        kept = x.new_empty(x.numel() + 1)  # one more: that is where places beyond the end go
        inside = kept[:-1].view(x.shape)
        torch.mul(x, scale, out=inside)
        kept.index_fill_(0, places, 0)
        return inside

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _Drop.apply(gradients[0], ctx.saved_tensors[0], ctx.scale), None, None


class Dropout(nn.Module):
    """`dropout` as a module: active in training, identity in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
