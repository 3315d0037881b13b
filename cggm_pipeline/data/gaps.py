"""What the samples of one split lack by a missing pattern, besides what the data lack."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from cggm_pipeline.data.patterns.base import Bools, Numbers, Pattern
from cggm_pipeline.data.prepared import Split


class Gaps:
    """The gaps that a pattern makes in a split. `name`: the split's; `seed`: the run's.

    `redraw`: every epoch has its own; without it, and outside of training, there is one draw, the same in every run
    with this seed.
    """

    def __init__(self, pattern: Pattern, samples: Split, name: str, *, seed: int, redraw: bool = False) -> None:
        self.pattern, self.samples, self.name = pattern, samples, name
        self.seed, self.redraw = seed, redraw
        self._there = np.stack([_there(samples, modality) for modality in pattern.modalities], 1)
        self._fixed = self._drawn(None)

    def absent(self, epoch: int | None = None) -> Mapping[str, Bools]:
        """Modality to (N,) bool, by position: where it is left out. Modalities that nothing is taken of are not named.

        `epoch`: of training; None: a pass that trains nothing.
        """
        drawn = self._drawn(epoch) if self.redraw and epoch is not None else self._fixed
        return {name: drawn[:, place] for place, name in enumerate(self.pattern.modalities) if drawn[:, place].any()}

    def present(self) -> Bools:
        """(N, M) bool: what each sample has in the end, modalities sorted by name, in a pass that trains nothing."""
        return self._there & ~self._fixed

    def digest(self) -> str:
        """Sixteen hex digits of which sample has which modality: the same where two passes had the same gaps."""
        found = sha256("\n".join((*self.pattern.modalities, "", *self.samples.ids)).encode())
        found.update(np.packbits(self.present()).tobytes())
        return found.hexdigest()[:16]

    def _drawn(self, epoch: int | None) -> Bools:
        return self.pattern.absent(Numbers(self.samples.ids, self.seed, self.name, epoch), self._there)


def _there(samples: Split, modality: str) -> Bools:
    present = samples.present(modality)
    return np.ones(len(samples), np.bool_) if present is None else np.asarray(present, np.bool_)
