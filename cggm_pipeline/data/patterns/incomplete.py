"""A share of the samples incomplete, every way of being so equally likely (MPLMM, Guo et al., ACL 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cggm_pipeline.data.patterns.base import SUBSET, Bools, Numbers, Pattern


class Incomplete(Pattern):
    """A sample is incomplete where u < share, and then keeps one of the 2^M - 2 proper non-empty subsets, drawn by v.

    Coupled: a sample that is incomplete at one share is so in the same way at every higher one.
    """

    def __init__(self, modalities: Sequence[str], *, share: float) -> None:
        super().__init__(modalities)
        self._share = share

    def kept(self, numbers: Numbers, there: Bools) -> Bools:
        incomplete, which = numbers(SUBSET)[:, :2].T
        number = len(self.modalities)
        chosen = 1 + np.floor(which * (2**number - 2)).astype(np.int64)  # bit k: the k-th modality stays
        kept: Bools = (chosen[:, None] >> np.arange(number)) & 1 == 1
        kept[incomplete >= self._share] = True
        return kept
