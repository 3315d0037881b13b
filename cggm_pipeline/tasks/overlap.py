"""How far two masks agree, counted on their device: exact numbers of pixels, no value on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

EPSILON = 1e-3
"""Of the Dice per slice, as in CGGM's released code."""


def region_table(regions: Mapping[str, Sequence[int]], classes: int) -> Tensor:
    """Which classes make which region: (R, C) int64 of zeros and ones."""
    table = torch.zeros(len(regions), classes, dtype=torch.int64)
    for row, members in zip(table, regions.values(), strict=True):
        row[list(members)] = 1
    return table


def overlap(predicted: Tensor, target: Tensor, table: Tensor) -> Tensor:
    """Pixels of every region in both masks, in the predicted and in the true one: (B, R, 3) int64.

    `predicted` and `target` (B, H, W) class indices; `table` (R, C) on their device.
    """
    classes = table.shape[1]
    pairs = (target.long() * classes + predicted.long()).flatten(1)
    counts = torch.zeros(len(pairs), classes * classes, dtype=torch.int64, device=pairs.device)
    counts = counts.scatter_add_(1, pairs, torch.ones_like(pairs)).view(-1, 1, classes, classes)
    true, guessed = table[:, :, None], table[:, None, :]
    return torch.stack([(counts * part).sum((2, 3)) for part in (true * guessed, guessed, true)], -1)


def slice_dice(sizes: Tensor) -> Tensor:
    """2 (both + eps) / (predicted + true + 2 eps), float64; 1 where both masks are empty. `sizes` (..., 3)."""
    both, predicted, true = sizes.double().unbind(-1)
    return 2 * (both + EPSILON) / (predicted + true + 2 * EPSILON)


def case_dice(sizes: Tensor) -> Tensor:
    """2 both / (predicted + true), float64; where both masks are empty 1, where one is 0 (BraTS). `sizes` (..., 3)."""
    both, predicted, true = sizes.double().unbind(-1)
    total = predicted + true
    return torch.where(total > 0, 2 * both / total.clamp_min(1), torch.ones_like(total))
