"""Given subsets of the modalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cggm_pipeline.data.patterns.base import SUBSET, Bools, Numbers, Pattern
from cggm_pipeline.errors import BuildError


class Fixed(Pattern):
    """Every sample keeps one of the subsets `kept`, drawn with `shares`, which add up to 1 (null: equal ones)."""

    def __init__(
        self, modalities: Sequence[str], *, kept: Sequence[Sequence[str]], shares: Sequence[float] | None = None
    ) -> None:
        super().__init__(modalities)
        for names in kept:
            unknown = sorted(set(names) - set(self.modalities))
            if unknown:
                raise BuildError(f"kept: there is no modality {unknown[0]!r} (allowed: {', '.join(self.modalities)})")
        self._subsets = np.array([[name in names for name in self.modalities] for names in kept])
        self._limits = np.cumsum([1 / len(kept)] * len(kept) if shares is None else shares)[:-1]

    def kept(self, numbers: Numbers, there: Bools) -> Bools:
        if not len(self._limits):
            return np.repeat(self._subsets, len(there), 0)
        which = np.searchsorted(self._limits, numbers(SUBSET)[:, 0], side="right")
        chosen: Bools = self._subsets[which]
        return chosen
