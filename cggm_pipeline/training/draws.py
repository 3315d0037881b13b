"""What the epochs of a training take: each one's draw from the schedule, as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from cggm_pipeline.data.batches import Batch, Batches, order, spans
from cggm_pipeline.modulations.base import Probe
from cggm_pipeline.schedules.base import Draw, Schedule, Turn
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.processes import first


class Draws:
    """The draw of the epoch under way. It stands in the checkpoint: weights that have moved on would give another."""

    def __init__(self, train: Batches, schedule: Schedule, options: Options) -> None:
        self._train, self._schedule, self._options = train, schedule, options
        self._now = Draw(self._order(0))

    def begin(self, epoch: int, probe: Probe) -> None:
        """Draw what an epoch takes: the first process's draw in every process."""
        self._now = first(self._schedule.draw(self._order(epoch), self._options.seed, epoch, probe))

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of the epoch under way, from number `start` on."""
        return self._made(self._now, epoch, start)

    def ordinary(self, epoch: int) -> Iterator[Batch]:
        """The batches of an ordinary epoch."""
        return self._made(Draw(self._order(epoch)), epoch, 0)

    def number(self) -> int:
        """How many batches the epoch under way has."""
        return len(spans(len(self._now.order), self._options.batch_size, train=True))

    def turns(self, epoch: int, index: int) -> Sequence[Turn]:
        """The optimiser steps on batch number `index`."""
        return self._schedule.turns(epoch, index)

    def state_dict(self) -> dict[str, Any]:
        """The draw, for a checkpoint."""
        return {"order": self._now.order, "absent": dict(self._now.absent)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The draw as it was."""
        self._now = Draw(state["order"], state["absent"])

    def _made(self, draw: Draw, epoch: int, start: int) -> Iterator[Batch]:
        return self._train.batches(
            self._options.batch_size,
            order=draw.order,
            absent=draw.absent,
            seed=self._options.seed,
            epoch=epoch,
            train=True,
            start=start,
        )

    def _order(self, epoch: int) -> Tensor:
        """The samples of an ordinary epoch, in order; equally many in each."""
        options = self._options
        groups = self._train.split.groups if options.per_group else None
        return order(len(self._train), options.seed, epoch, groups, options.per_group)
