"""The promise every missing pattern keeps, and the random numbers it draws: no generator, no order, no version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

SUBSET = "its subset"
"""The label that a sample's subset is drawn for; no modality has such a name."""

PER_DIGEST = 4
"""A digest has 32 bytes: four numbers of 8."""


@dataclass(frozen=True)
class Numbers:
    """Uniform numbers for the samples `ids` of one split; `epoch` None: one draw for all epochs.

    A sample's numbers are the SHA-256 of SEED/SPLIT/EPOCH/LABEL/ID (EPOCH empty for None), so that they do not depend
    on the other samples, their order or number, the batch size, the other labels, or the version of any library.
    """

    ids: Sequence[str]
    seed: int
    split: str
    epoch: int | None = None

    def __call__(self, label: str) -> NDArray[np.float64]:
        """(N, 4) numbers in [0, 1), multiples of 2**-53, for one label: a modality's name, or another text."""
        epoch = "" if self.epoch is None else self.epoch
        start = f"{self.seed}/{self.split}/{epoch}/{label}/".encode()
        digests = b"".join([sha256(start + key.encode()).digest() for key in self.ids])
        words = np.frombuffer(digests, dtype=">u8").reshape(len(self.ids), PER_DIGEST)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Pattern(ABC):
    """A missing pattern. Built as `Class(modalities, *, ...)`; columns stand for the modalities, sorted by name."""

    def __init__(self, modalities: Sequence[str]) -> None:
        self.modalities = tuple(sorted(modalities))

    @abstractmethod
    def kept(self, numbers: Numbers, there: Bools) -> Bools:
        """(N, M) bool: what each sample keeps. `there`, (N, M): what it has by itself."""

    def absent(self, numbers: Numbers, there: Bools) -> Bools:
        """(N, M) bool: what each sample lacks besides what it lacks by itself.

        Where a sample has nothing of what it would keep, it keeps what it has.
        """
        kept = self.kept(numbers, there)
        something = np.asarray((kept & there).any(1))[:, None]
        return there & ~kept & something
