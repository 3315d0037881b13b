"""The data as they are."""

from __future__ import annotations

import numpy as np

from cggm_pipeline.data.patterns.base import Bools, Numbers, Pattern


class Natural(Pattern):
    """Only what the data lack by themselves."""

    def kept(self, numbers: Numbers, there: Bools) -> Bools:
        return np.ones_like(there)
