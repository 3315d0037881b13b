"""Every modality missing at a rate of its own, independently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cggm_pipeline.data.patterns.base import Bools, Numbers, Pattern


class Rate(Pattern):
    """Modality m is missing where u_m < rate_m. `rate`: in [0, 1), or by modality; 0 for those that are not named.

    Where all that a sample has would be missing, the one with the largest u_m stays: the last to go as the rate grows.
    With one rate for all a sample that lacks m at this rate lacks it at every higher one, so that curves over the rate
    are paired sample by sample.
    """

    def __init__(self, modalities: Sequence[str], *, rate: float | Mapping[str, float]) -> None:
        super().__init__(modalities)
        named = rate if isinstance(rate, Mapping) else dict.fromkeys(self.modalities, rate)
        self._rates = np.array([named.get(name, 0.0) for name in self.modalities])

    def kept(self, numbers: Numbers, there: Bools) -> Bools:
        drawn = np.stack([numbers(name)[:, 0] for name in self.modalities], 1)
        last = np.where(there, drawn, -1.0).argmax(1)
        kept = drawn >= self._rates
        gone = ~(kept & there).any(1)
        kept[gone, last[gone]] = True
        return kept
