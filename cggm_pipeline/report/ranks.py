"""Methods over several data sets: average ranks, Friedman's test, the critical difference (Demsar, JMLR 7, 2006).

With k methods on N data sets and R_j the average rank of method j (1 is best, equal means share their ranks):

    chi2_F = 12 N / (k (k + 1)) (sum_j R_j^2 - k (k + 1)^2 / 4), corrected for ties
    CD     = q_0.05 sqrt(k (k + 1) / (6 N)), q the studentised range over sqrt(2) (Nemenyi)

Two methods differ where their average ranks are more than CD apart. The p value of chi2_F is that of a permutation test
(ranks drawn anew inside every data set): with a handful of data sets the approximations by chi2 and by Iman and
Davenport's F are far off (two data sets that order three methods alike, one chance in six, have p = 0 by F).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
ALPHA = 0.05
PERMUTATIONS = 9999
_CHUNK = 4_000_000  # ranks drawn at once: 32 MB


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that all methods are equal; `p` by permutation, 1 where all ranks are equal."""

    chi2: float
    p: float


def ranks(scores: Floats) -> Floats:
    """Ranks (N, k) of scores (N data sets, k methods) where more is better; NaN is the worst; equal scores share."""
    filled = np.where(np.isnan(scores), -inf, scores)
    return np.asarray(stats.rankdata(-filled, method="average", axis=1), dtype=np.float64)


def friedman(found: Floats) -> Friedman | None:
    """Of ranks (N, k); None with fewer than two data sets or three methods, where the test does not exist."""
    number, methods = found.shape
    if number < 2 or methods < 3:
        return None
    groups = [np.unique(row, return_counts=True)[1].astype(np.float64) for row in found]
    tied = sum(float((sizes**3 - sizes).sum()) for sizes in groups)
    correction = 1 - tied / (number * methods * (methods**2 - 1))
    if correction <= 0:
        return Friedman(0.0, 1.0)
    spread = float(_spread(found[None])[0])
    chi2 = 12 * number / (methods * (methods + 1)) * spread / correction
    return Friedman(chi2, (int((_permuted(found) >= spread - 1e-9).sum()) + 1) / (PERMUTATIONS + 1))


def _spread(drawn: Floats) -> Floats:
    """Of ranks (B, N, k) the squared distances of the average ranks from their mean, shape (B,)."""
    average = drawn.mean(axis=1)
    return np.asarray(((average - average.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))


def _permuted(found: Floats, seed: int = 0) -> Floats:
    """The spread of average ranks where every data set orders the methods at random, ties as they are; shape (B,)."""
    generator = np.random.default_rng(seed)
    rows = max(1, _CHUNK // found.size)
    sizes = [min(rows, PERMUTATIONS - start) for start in range(0, PERMUTATIONS, rows)]
    return np.concatenate([_spread(generator.permuted(np.tile(found, (size, 1, 1)), axis=2)) for size in sizes])


def critical_difference(methods: int, number: int, alpha: float = ALPHA) -> float:
    """Nemenyi's CD of average ranks over `number` data sets."""
    q = float(stats.studentized_range.ppf(1 - alpha, methods, inf)) / sqrt(2)
    return q * sqrt(methods * (methods + 1) / (6 * number))


def least_number(methods: int, alpha: float = ALPHA) -> int:
    """Fewest data sets with which any two of so many methods can differ: average ranks are at most k - 1 apart."""
    return int((critical_difference(methods, 1, alpha) / (methods - 1)) ** 2) + 1


def groups(average: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Longest runs of methods no more than `difference` apart, as (first, last) places in ascending `average`.

    Runs of one method are left out, and runs inside of another.
    """
    found: list[tuple[int, int]] = []
    for first, start in enumerate(average):
        last = max(place for place, value in enumerate(average) if value - start <= difference)
        if last > first and not (found and found[-1][1] >= last) and not isnan(start):
            found.append((first, last))
    return found
