"""Schedules of the learning rate: torch's own schedulers behind one call, `step(validation loss)`, after each epoch.

Each function takes the optimiser and the number of epochs; what comes from the spec is keyword-only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau, StepLR

SCHEDULED = "scheduled"
"""Key of a parameter group; where it is False the group keeps the rate that it began with."""


class Schedule:
    """A torch scheduler, stepped once per epoch with the epoch's validation loss.

    Acts on every parameter group but those that say `scheduled: False`.
    """

    def __init__(self, optimizer: Optimizer, make: Callable[[Optimizer], Any], *, sees_loss: bool = False) -> None:
        groups = enumerate(optimizer.param_groups)
        self._constant = {place: group["lr"] for place, group in groups if not group.get(SCHEDULED, True)}
        self._optimizer, self._scheduler, self.sees_loss = optimizer, make(optimizer), sees_loss
        self._hold()  # a warm-up sets the first epoch's rates at once

    def step(self, loss: float) -> None:
        """The epoch is over; `loss` is its validation loss."""
        with warnings.catch_warnings():  # a run that goes on at an epoch's end has made its steps in another process
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            self._scheduler.step(*[loss] * self.sees_loss)
        self._hold()

    def _hold(self) -> None:
        for place, rate in self._constant.items():  # by place: loading an optimiser's state makes new groups
            self._optimizer.param_groups[place]["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Plain values, so that a checkpoint can be read with `weights_only`."""
        state: dict[str, Any] = self._scheduler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; the rates themselves are in the optimiser's state."""
        self._scheduler.load_state_dict(state)


def constant(optimizer: Optimizer, epochs: int) -> Schedule:
    """The rate stays as it is."""
    return Schedule(optimizer, lambda own: LambdaLR(own, _one))


def plateau(optimizer: Optimizer, epochs: int, *, patience: int = 10, factor: float = 0.1) -> Schedule:
    """The rate is multiplied by `factor` after `patience` epochs without a lower validation loss."""
    return Schedule(
        optimizer, lambda own: ReduceLROnPlateau(own, mode="min", factor=factor, patience=patience), sees_loss=True
    )


def cosine(
    optimizer: Optimizer, epochs: int, *, warmup: int = 0, start: float | None = None, final: float = 0.0
) -> Schedule:
    """Half a cosine from the rate to `final` times the rate, after `warmup` linear epochs that begin at `start`.

    Epoch e < warmup: start + (1 - start) e / warmup, `start` being 1 / (warmup + 1) where it is None; later, with
    s = (e - warmup) / (epochs - warmup), final + (1 - final) (1 + cos(pi s)) / 2.
    """
    return Schedule(optimizer, lambda own: LambdaLR(own, _half_cosine(epochs, warmup, start, final)))


def step(optimizer: Optimizer, epochs: int, *, every: int, factor: float = 0.1) -> Schedule:
    """The rate is multiplied by `factor` every `every` epochs."""
    return Schedule(optimizer, lambda own: StepLR(own, step_size=every, gamma=factor))


def _one(epoch: int) -> float:
    return 1.0


def _half_cosine(epochs: int, warmup: int, start: float | None, final: float) -> Callable[[int], float]:
    first = 1 / (warmup + 1) if start is None else start

    def factor(epoch: int) -> float:
        if epoch < warmup:
            return first + (1 - first) * epoch / warmup
        share = min((epoch - warmup) / max(epochs - warmup, 1), 1.0)
        return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2

    return factor


SCHEDULES: Mapping[str, Callable[..., Schedule]] = {
    "constant": constant,
    "plateau": plateau,
    "cosine": cosine,
    "step": step,
}
