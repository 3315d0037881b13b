"""Time on another grid: sequences of any length as cells of one interval, and matrices that share out their areas."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Cells:
    """Tokens as cells that cover [0, 1] without gaps: token t is [lower_t / number, upper_t / number].

    `lower`, `upper`: (T,) or (B, T) int64, `number` () or (B,) int64. Padding has no area: its bounds are equal.
    """

    lower: Tensor
    upper: Tensor
    number: Tensor


def even(number: int, device: torch.device | str) -> Cells:
    """`number` cells of equal size."""
    lower = torch.arange(number, device=device)
    return Cells(lower, lower + 1, torch.full((), number, device=device))


def unpadded(mask: Tensor) -> Cells:
    """Each sample's own tokens as cells of equal size; `mask` (B, T) bool, True where padded, wherever that is."""
    there = (~mask).long()
    upper = there.cumsum(1)
    return Cells(upper - there, upper, there.sum(1))


def shares(target: Cells, source: Cells, dtype: torch.dtype) -> Tensor:
    """W (.., T, S): W_ts is the part of target cell t that lies in source cell s.

    Rows sum to 1, those of padding to 0; columns to T/S where neither has padding: what is shared out keeps its mean.
    The identity where both are alike. In whole numbers up to the last division.
    """
    upper_t, lower_t = (side[..., :, None] * source.number[..., None, None] for side in (target.upper, target.lower))
    upper_s, lower_s = (side[..., None, :] * target.number[..., None, None] for side in (source.upper, source.lower))
    overlap = torch.minimum(upper_t, upper_s) - torch.maximum(lower_t, lower_s)
    return overlap.clamp_min(0).to(dtype) / source.number[..., None, None].clamp_min(1)


def resampled(values: Tensor, target: Cells | int, source: Cells | None = None) -> Tensor:
    """Tokens (.., S, D) as means over the target's cells, (.., T, D); a number: so many cells of equal size.

    `source`: the cells that the tokens are; by default of equal size. What stands in padding must be finite.
    """
    if source is None and target == values.shape[-2]:
        return values
    cells = even(target, values.device) if isinstance(target, int) else target
    return shares(cells, source or even(values.shape[-2], values.device), values.dtype) @ values
