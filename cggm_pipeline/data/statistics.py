"""Mean and standard deviation per channel, in one pass and in float64."""

from __future__ import annotations

import numpy as np

from cggm_pipeline.data.manifest import Form, Statistics

DIGITS = 12


Part = tuple[int, np.ndarray, np.ndarray]
"""Of one sample: numbers per channel, their mean, and the sum of their squared deviations from it."""


def part(form: Form, values: np.ndarray) -> Part:
    """What a sample of this form adds to the statistics."""
    axis = 0 if form.image else -1
    channels = 1 if form.ragged and values.ndim == 1 else values.shape[axis]
    if values.dtype == np.uint8:
        return _of_levels(np.moveaxis(values, axis, 0).reshape(channels, -1))
    exact = values.astype(np.float64)
    rows = exact.reshape(channels, -1).T if form.image else exact.reshape(-1, channels)  # views: nothing is moved
    mean = rows.mean(0)
    rows -= mean
    return len(rows), mean, np.square(rows, out=rows).sum(0)


def _of_levels(values: np.ndarray) -> Part:
    """The part of 8-bit values, (channels, n), from how often each level occurs: five times as fast, and as exact."""
    times = np.stack([np.bincount(channel, minlength=256) for channel in values])
    levels, number = np.arange(256), values.shape[1]
    mean = times @ levels / number
    return number, mean, (times * (levels - mean[:, None]) ** 2).sum(1)


class Moments:
    """Running mean and squared deviations per channel, merged sample by sample (Chan, Golub & LeVeque 1979)."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.samples = 0
        self._count = 0
        self._mean: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Take in one sample."""
        self.merge(part(self.form, values))

    def merge(self, part: Part) -> None:
        """Take in the part of one sample."""
        count, mean, squares = part
        total = self._count + count
        shift = mean - self._mean
        self._squares = self._squares + squares + shift**2 * (self._count * count / total)
        self._mean = self._mean + shift * (count / total)
        self._count = total
        self.samples += 1

    def result(self) -> Statistics:
        """The statistics, rounded to 12 digits: what is beyond them depends on the processor."""
        if not self.samples:
            return Statistics((), (), 0)
        mean, variance = np.atleast_1d(self._mean), np.atleast_1d(self._squares) / self._count
        return Statistics(rounded(mean), rounded(np.sqrt(variance)), self.samples)


def rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values.tolist())
