"""One modality at a time (MLA, Zhang et al., CVPR 2024; ReconBoost, Hua et al., ICML 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cggm_pipeline.schedules.base import Schedule, Turn


class Alternating(Schedule):
    """The modalities, sorted by name, learn in turn; encoders out of turn are not moved.

    `per` "batch": M optimiser steps on every batch, one per modality; `order` "rotating" begins one modality later with
    every batch of an epoch. `per` "stage": `epochs` epochs of one modality, then `rectify` of all together, then the
    next modality, and so on in a circle. Every forward pass goes through all encoders, so running statistics (batch
    normalisation) of encoders out of turn go on; their parameters, and the optimiser's memory of them, stand still.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        *,
        per: Literal["batch", "stage"] = "batch",
        order: Literal["sorted", "rotating"] = "sorted",
        epochs: int = 4,
        rectify: int = 4,
    ) -> None:
        super().__init__(modalities)
        self._turns = {"batch": self._of_batch, "stage": self._of_stage}[per]
        self._rotating, self._epochs, self._rectify = order == "rotating", epochs, rectify

    def turns(self, epoch: int, index: int) -> Sequence[Turn]:
        return self._turns(epoch, index)

    def _of_batch(self, epoch: int, index: int) -> Sequence[Turn]:
        first = index % len(self.modalities) if self._rotating else 0
        return [frozenset({name}) for name in (*self.modalities[first:], *self.modalities[:first])]

    def _of_stage(self, epoch: int, index: int) -> Sequence[Turn]:
        stage, within = divmod(epoch, self._epochs + self._rectify)
        return (frozenset({self.modalities[stage % len(self.modalities)]}) if within < self._epochs else None,)
