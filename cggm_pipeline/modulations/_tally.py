"""Sums over the micro-batches of an optimiser step, in all processes."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.modulations import _distributed


class Tally:
    """What one step's micro-batches added up to; emptied by `take`, so that nothing of it outlives the step."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []

    def add(self, sums: Tensor, count: int | Tensor) -> None:
        """`sums` (K,) over `count` samples. A count of 0 is of a process without a sample of its own: nothing."""
        counted = sums.new_full((1,), count) if isinstance(count, int) else count.to(sums.dtype).reshape(1)
        row = torch.cat([sums.detach(), counted])
        self._rows.append(torch.zeros_like(row) if isinstance(count, int) and count == 0 else row)

    def sums(self) -> tuple[Tensor, Tensor]:
        """(sums (K,), count) so far, each the mean over processes, so that their quotient is the mean over samples."""
        if not self._rows:
            raise RuntimeError("modulate_ was called without penalty or objective: call them before backward")
        total = torch.stack(self._rows).sum(0)
        _distributed.mean_([total])
        return total[:-1], total[-1]

    def take(self) -> tuple[Tensor, Tensor]:
        """What `sums` says, and begin anew."""
        found = self.sums()
        self._rows = []
        return found

    def means(self) -> Tensor:
        """The means over samples (K,) of the whole step, and begin anew."""
        sums, count = self.take()
        return sums / count
