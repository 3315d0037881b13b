"""The NaN watch: one sticky flag per tensor, kept on the device and read every few steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cggm_pipeline.errors import TrainingError


@dataclass(frozen=True)
class Watched:
    """What one flag stands for: a tensor's name, and the modality whose encoder it belongs to, if one."""

    tensor: str
    modality: str | None = None


class NotFiniteError(TrainingError):
    """A value became NaN or infinite. `step` counts optimiser steps from 0 over the whole training.

    `history` and `seconds`: the epochs until then and the time they took, filled in by `fit`.
    """

    def __init__(self, step: int, epoch: int, tensor: str, modality: str | None) -> None:
        self.step, self.epoch, self.tensor, self.modality = step, epoch, tensor, modality
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        of = f" of modality {modality!r}" if modality else ""
        super().__init__(
            f"{tensor}{of} is not finite at step {step} (epoch {epoch}, both counted from 0). "
            "A lower training.optimizer.lr, training.clip, or modulation bounds usually mend it"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.step, self.epoch, self.tensor, self.modality), self.__dict__


class Watch:
    """First step at which each of `watched` was not finite, as a tensor on the device; -1: never."""

    def __init__(self, watched: list[Watched], device: torch.device) -> None:
        self._watched = watched
        self._first = torch.full((len(watched),), -1, dtype=torch.long, device=device)

    def see(self, values: Tensor, step: int) -> None:
        """`values`: one number per watched tensor that is finite only if all of the tensor is. No synchronisation."""
        bad = ~torch.isfinite(values)
        self._first = torch.where(bad & (self._first < 0), step, self._first)

    def check(self, epoch: int) -> None:
        """Read the flags (one synchronisation); raises NotFiniteError for the earliest bad step's first tensor.

        `epoch` is the one under way: flags are read at the end of each.
        """
        marks = [(step, position) for position, step in enumerate(self._first.tolist()) if step >= 0]
        if not marks:
            return
        step, position = min(marks)
        found = self._watched[position]
        raise NotFiniteError(step, epoch, found.tensor, found.modality)

    def state_dict(self) -> dict[str, Tensor]:
        """The flags, for a checkpoint."""
        return {"first": self._first}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Flags as they were."""
        self._first = state["first"].to(self._first.device)
