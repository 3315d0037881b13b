"""Absent features become the mean of those that were there."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import cast

import torch
from torch import Tensor, distributed, nn

from cggm_pipeline.fills._absent import beside, tensors, there
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.named import ByName


class Mean(Fill):
    """Rows of an absent modality are, channel by channel, the mean of all rows that were there in training so far.

    Of tokens the mean over those that are no padding, of a pyramid map by map over space. It is the exact mean of what
    the encoder said at the time, over all processes, and stands in the checkpoint. Zeros before anything was seen.
    """

    def __init__(self, widths: Mapping[str, int | tuple[int, ...]]) -> None:
        super().__init__()
        levels = {name: (width,) if isinstance(width, int) else width for name, width in widths.items()}
        self.means: ByName[nn.ModuleList] = ByName(
            {name: nn.ModuleList(map(Running, level)) for name, level in levels.items()}
        )

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        rows = {name: there(value, present.get(name)) for name, value in features.items()}
        if self.training:
            self._learn_(features, rows)
        return {name: self._filled(name, value, rows[name]) for name, value in features.items()}

    @torch.no_grad()
    def _learn_(self, features: Mapping[str, Features], rows: Mapping[str, Tensor]) -> None:
        seen = [
            (running, *summed(values, value.mask, rows[name]))
            for name, value in sorted(features.items())
            for running, values in zip(self._running(name), tensors(value), strict=True)
        ]
        totals, counts = everywhere([total for _, total, _ in seen]), everywhere([count for *_, count in seen])
        for (running, *_), total, count in zip(seen, totals, counts, strict=True):
            running.learn_(total, count)

    def _filled(self, name: str, features: Features, rows: Tensor) -> Features:
        means = iter(self._running(name))

        def filled(values: Tensor) -> Tensor:
            mean = next(means).mean.to(values.dtype)
            shown = mean.view(-1, 1, 1) if values.dim() == 4 else mean
            return torch.where(beside(rows, values), values, shown)

        return features.map(filled)

    def _running(self, name: str) -> list[Running]:
        """One for each map of a pyramid; one for any other layout."""
        return cast("list[Running]", list(self.means[name]))


class Running(nn.Module):
    """The mean (width) of all rows seen so far, and their number."""

    mean: Tensor
    seen: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def learn_(self, total: Tensor, count: Tensor) -> None:
        """Take in `count` rows whose sum is `total`."""
        self.seen.add_(count)
        self.mean.add_((total.to(self.mean.dtype) - count * self.mean) / self.seen.clamp_min(1))


def summed(values: Tensor, mask: Tensor | None, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The sum (width) of (B, D), (B, T, D) or (B, D, H, W) over these rows' tokens or pixels, and their number."""
    placed = values.movedim(1, -1) if values.dim() == 4 else values
    kept = rows if mask is None or values.dim() != 3 else rows[:, None] & ~mask
    left = ~kept.view(*kept.shape, *[1] * (placed.dim() - kept.dim()))
    precise = torch.promote_types(values.dtype, torch.float32)
    total = placed.masked_fill(left, 0).sum(tuple(range(placed.dim() - 1)), dtype=precise)
    return total, kept.sum() * prod(placed.shape[kept.dim() : -1])


def everywhere(tensors: list[Tensor]) -> list[Tensor]:
    """Sums over all processes, in one collective: as one process would have seen it."""
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return tensors
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
