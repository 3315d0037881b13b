"""Mean and standard deviation per channel, in one pass and in float64."""

from __future__ import annotations

import numpy as np

from cggm_pipeline.data.manifest import Form, Statistics

DIGITS = 12


class Moments:
    """Running mean and squared deviations per channel, merged array by array (Chan, Golub & LeVeque 1979)."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.axis = 0 if form.image else -1
        self.samples = 0
        self._count = 0
        self._mean: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Take in one sample."""
        rows = np.moveaxis(values.astype(np.float64), self.axis, -1).reshape(-1, self._channels(values))
        mean = rows.mean(0)
        squares = ((rows - mean) ** 2).sum(0)
        total = self._count + len(rows)
        shift = mean - self._mean
        self._squares = self._squares + squares + shift**2 * (self._count * len(rows) / total)
        self._mean = self._mean + shift * (len(rows) / total)
        self._count = total
        self.samples += 1

    def _channels(self, values: np.ndarray) -> int:
        return 1 if self.form.ragged and values.ndim == 1 else values.shape[self.axis]

    def result(self) -> Statistics:
        """The statistics, rounded to 12 digits: what is beyond them depends on the processor."""
        if not self.samples:
            return Statistics((), (), 0)
        mean, variance = np.atleast_1d(self._mean), np.atleast_1d(self._squares) / self._count
        return Statistics(rounded(mean), rounded(np.sqrt(variance)), self.samples)


def rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values.tolist())
