"""Schedules of the learning rate: torch's own schedulers behind one call, `step(validation loss)`, after each epoch.

Each function takes the optimiser and the number of epochs; what comes from the spec is keyword-only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau, StepLR


class Schedule:
    """A torch scheduler, stepped once per epoch with the epoch's validation loss. Acts on every parameter group."""

    def __init__(self, scheduler: LRScheduler, advance: Callable[[float], None]) -> None:
        self._scheduler, self._advance = scheduler, advance

    def step(self, loss: float) -> None:
        """The epoch is over; `loss` is its validation loss."""
        with warnings.catch_warnings():  # a run that goes on at an epoch's end has made its steps in another process
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            self._advance(loss)

    def state_dict(self) -> dict[str, Any]:
        """Plain values, so that a checkpoint can be read with `weights_only`."""
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; the rates themselves are in the optimiser's state."""
        self._scheduler.load_state_dict(state)


def constant(optimizer: Optimizer, epochs: int) -> Schedule:
    """The rate stays as it is."""
    return _blind(LambdaLR(optimizer, _one))


def plateau(optimizer: Optimizer, epochs: int, *, patience: int = 10, factor: float = 0.1) -> Schedule:
    """The rate is multiplied by `factor` after `patience` epochs without a lower validation loss."""
    scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=factor, patience=patience)
    return Schedule(scheduler, scheduler.step)


def cosine(
    optimizer: Optimizer, epochs: int, *, warmup: int = 0, start: float | None = None, final: float = 0.0
) -> Schedule:
    """Half a cosine from the rate to `final` times the rate, after `warmup` linear epochs that begin at `start`.

    Epoch e < warmup: start + (1 - start) e / warmup, `start` being 1 / (warmup + 1) where it is None; later, with
    s = (e - warmup) / (epochs - warmup), final + (1 - final) (1 + cos(pi s)) / 2.
    """
    return _blind(LambdaLR(optimizer, _half_cosine(epochs, warmup, start, final)))


def step(optimizer: Optimizer, epochs: int, *, every: int, factor: float = 0.1) -> Schedule:
    """The rate is multiplied by `factor` every `every` epochs."""
    return _blind(StepLR(optimizer, step_size=every, gamma=factor))


def _blind(scheduler: LRScheduler) -> Schedule:
    """A schedule that does not look at the loss."""
    return Schedule(scheduler, lambda loss: scheduler.step())


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
