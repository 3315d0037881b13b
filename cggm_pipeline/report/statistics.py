"""Mean, spread, and the paired difference between two methods with its 95 % interval over seeds and test samples.

Every method is trained with the same seeds and scored on the same test samples, so what a difference D[s, i] (seed s,
sample i) varies by is crossed: seeds are drawn anew by a person who repeats the work, samples by the world, and a hard
sample is hard in every seed. Drawing samples anew inside each seed would divide the samples' part by the number of
seeds; drawing five seeds out of five is too narrow by sqrt(4/5) and by normal in place of Student's quantiles. Both
make intervals that miss the truth too often (docs/report.md has the coverage). So each resample is

    mean(D) + t * sd_s(D[s, .]) / sqrt(n)  +  f * (mean over resampled i of D[., i] - mean(D))

t from Student's t with n - 1 degrees of freedom; f shrinks the sample means to the variance that samples have by
themselves, without what seed and sample share (already in the first term): f^2 = max(0, 1 - MS_residual / MS_samples)
of the two-way layout. With identical samples this is the t interval; with one seed the bootstrap over samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cggm_pipeline.errors import DataError

Floats = NDArray[np.float64]
Method = Literal["seeds and samples", "samples", "seeds", "none"]
RESAMPLES = 2000
ALPHA = 0.05
_CHUNK = 4_000_000  # sample indices drawn at once: 32 MB


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation (ddof 1; NaN for one value) of one metric over `n` seeds; `values` by seed."""

    mean: float
    sd: float
    n: int
    values: Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """A paired difference over `n` common seeds, its 95 % interval (NaN where none exists) and what that covers.

    `p`: the two-sided p value of "no difference" by the same method as the interval; `holm`: the same, corrected for
    the number of rows of the table that are compared with the same row (Holm 1979). NaN where there is no interval.
    """

    mean: float
    low: float
    high: float
    n: int
    covers: Method
    p: float = nan
    holm: float = nan

    @property
    def decided(self) -> bool:
        """Does the interval exclude zero?"""
        return self.low > 0 or self.high < 0

    @property
    def survives(self) -> bool:
        """Is it decided at 5 % after Holm's correction as well?"""
        return self.holm < ALPHA


def summarise(values: Mapping[int, float]) -> Summary:
    """The summary of one value per seed. ValueError where there is none."""
    if not values:
        raise ValueError("no seed has a value, so there is nothing to summarise")
    array = np.array([values[seed] for seed in sorted(values)], dtype=np.float64)
    spread = float(array.std(ddof=1)) if len(array) > 1 else float("nan")
    return Summary(float(array.mean()), spread, len(array), dict(sorted(values.items())))


def t_difference(ours: Mapping[int, float], baseline: Mapping[int, float]) -> Difference:
    """Student's t interval of the paired difference over common seeds; no interval with fewer than two."""
    common = sorted(set(ours) & set(baseline))
    if not common:
        raise ValueError("the two rows have no seed in common")
    values = np.array([ours[seed] - baseline[seed] for seed in common], dtype=np.float64)
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return Difference(mean, float("nan"), float("nan"), n, "none")
    error = float(values.std(ddof=1)) / sqrt(n)
    half = float(stats.t.ppf(0.975, n - 1)) * error
    return Difference(mean, mean - half, mean + half, n, "seeds", _p(np.array([mean]), error, n))


def crossed_difference(
    ours: Sequence[Floats], baseline: Sequence[Floats], *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """The bootstrap of this module's docstring. One array (N,) per common seed, same seeds and samples in both.

    DataError where the shapes differ. Deterministic: `seed` starts the generator.
    """
    if not ours or len(ours) != len(baseline) or len({len(array) for array in (*ours, *baseline)}) != 1:
        raise DataError("paired predictions must have the same seeds and the same number of test samples")
    difference = np.stack(ours).astype(np.float64) - np.stack(baseline).astype(np.float64)
    n, samples = difference.shape
    mean = float(difference.mean())
    if samples < 2:
        return t_difference(dict(enumerate(difference[:, 0])), dict.fromkeys(range(n), 0.0))
    generator = np.random.default_rng(seed)
    means = draws = mean + _samples_part(difference, generator, resamples)
    spread = float(difference.mean(axis=1).std(ddof=1)) / sqrt(n) if n > 1 else 0.0
    if n > 1:
        draws = means + spread * generator.standard_t(n - 1, resamples)
    low, high = (float(value) for value in np.percentile(draws, [2.5, 97.5]))
    return Difference(mean, low, high, n, "seeds and samples" if n > 1 else "samples", _p(means, spread, n))


def _p(means: Floats, error: float, n: int) -> float:
    """Twice the smaller share of `means + error * t` that lies on one side of 0; at most 1.

    For each mean the share is Student's distribution function and not a count of draws: small values, which a
    correction for many rows needs, are not lost. Without a spread over seeds draws are counted (one more than there
    are, so never none); of a single mean, which has no spread at all, the p value is 0 or 1.
    """
    if error > 0:
        sides = [float(side(-means / error, n - 1).mean()) for side in (stats.t.cdf, stats.t.sf)]
    elif len(means) > 1:
        sides = [(int(side.sum()) + 1) / (len(means) + 1) for side in (means <= 0, means >= 0)]
    else:
        sides = [float(means[0] == 0)] * 2
    return min(1.0, 2 * min(sides))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values (Scandinavian Journal of Statistics 6, 1979); NaN stays and is not counted.

    With p sorted, p_(1) <= ... <= p_(m): adjusted_(k) = min(1, max over j <= k of (m - j + 1) p_(j)).
    """
    order = sorted((place for place, value in enumerate(p) if not isnan(value)), key=lambda place: p[place])
    adjusted, least = list(p), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p[place]))
        adjusted[place] = least
    return adjusted


def _samples_part(difference: Floats, generator: np.random.Generator, resamples: int) -> Floats:
    """The resampled deviation of the samples' means from the whole mean, shrunken; shape (resamples,)."""
    samples = difference.shape[1]
    deviation = difference.mean(axis=0) - difference.mean()
    deviation = deviation * _own_share(difference)
    rows = max(1, _CHUNK // samples)
    parts = []
    for start in range(0, resamples, rows):
        chosen = generator.integers(0, samples, (min(rows, resamples - start), samples))
        parts.append(deviation[chosen].mean(axis=1))
    return np.concatenate(parts)


def _own_share(difference: Floats) -> float:
    """f of the module docstring: 1 for a single seed, where the two cannot be told apart."""
    n, samples = difference.shape
    if n == 1:
        return 1.0
    seeds, items = difference.mean(axis=1, keepdims=True), difference.mean(axis=0, keepdims=True)
    residual = difference - seeds - items + difference.mean()
    mean_square = float((residual**2).sum()) / ((n - 1) * (samples - 1))
    of_samples = n * float(items.var(ddof=1))
    return sqrt(max(0.0, 1.0 - mean_square / of_samples)) if of_samples > 0 else 0.0
