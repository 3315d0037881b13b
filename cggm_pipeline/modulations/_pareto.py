"""Pareto integration of two gradients: the smallest convex combination, and its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Form = Literal["paper", "released"]


def dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """<left, right> over all tensors, a float64 scalar (float32 where the device has no float64)."""
    precise = torch.float32 if left[0].device.type == "mps" else torch.float64
    return torch.stack([product.sum(dtype=precise) for product in torch._foreach_mul(list(left), list(right))]).sum()


def weight(joint: Tensor, both: Tensor, own: Tensor) -> Tensor:
    """a from <g, g>, <g, g_m> and <g_m, g_m>: 1/2 where both agree, else that of the smallest combination."""
    apart = joint + own - 2 * both
    smallest = (own - both) / apart.where(apart > 0, 1)
    smallest = torch.where(both >= own, 0.001, smallest)
    smallest = torch.where(both >= joint, 0.999, smallest)
    return torch.where(both > 0, 0.5, smallest)


def combined(joint: Sequence[Tensor], own: Sequence[Tensor], share: Tensor, gamma: float, form: Form) -> list[Tensor]:
    """h = 2 share joint + 2 (1 - share) own, at the length that the form says."""
    ahead = [2 * (share * g + (1 - share) * u).to(g.dtype) for g, u in zip(joint, own, strict=True)]
    plain = torch._foreach_add(list(joint), list(own))
    return [gamma * scale.to(h.dtype) * h for scale, h in zip(_scales(plain, ahead, form), ahead, strict=True)]


def _scales(plain: Sequence[Tensor], ahead: Sequence[Tensor], form: Form) -> list[Tensor]:
    """|g + g_m| / |h| for every tensor, over all of them (paper) or by itself and at least 1 (released).

    Where |h| is 0 it is divided by 1 instead: then h is 0 whatever the scale.
    """
    if form == "paper":
        wanted, length = dot(plain, plain).sqrt(), dot(ahead, ahead).sqrt()
        return [wanted / length.where(length > 0, 1)] * len(ahead)
    wanted, length = (torch.stack(torch._foreach_norm(list(each))) for each in (plain, ahead))
    return list((wanted / length.where(length > 0, 1)).clamp_min(1.0))
