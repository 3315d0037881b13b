"""How often 95 % intervals of a paired difference hold the truth: the report's own and three textbook ways.

Two equally good methods, right or wrong on each sample through a latent margin: samples are hard in every seed, methods
may differ on single samples, seeds shift everything. The table of docs/report.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from cggm_pipeline.report.statistics import crossed_difference

SAMPLES, REPEATS, RESAMPLES = 400, 300, 500
Interval = Callable[[np.ndarray], tuple[float, float]]


def nested(difference: np.ndarray) -> tuple[float, float]:
    """Seeds resampled, then samples anew inside each drawn seed."""
    generator = np.random.default_rng(0)
    seeds, samples = difference.shape
    drawn = generator.integers(0, seeds, (RESAMPLES, seeds))
    chosen = generator.integers(0, samples, (RESAMPLES, seeds, samples))
    return _percentiles(difference[drawn[:, :, None], chosen].mean((1, 2)))


def crossed(difference: np.ndarray) -> tuple[float, float]:
    """Seeds and samples both resampled, the same samples in every seed."""
    generator = np.random.default_rng(0)
    seeds, samples = difference.shape
    rows = generator.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
    columns = generator.multinomial(samples, np.full(samples, 1 / samples), RESAMPLES) / samples
    return _percentiles(((rows @ difference) * columns).sum(1))


def student(difference: np.ndarray) -> tuple[float, float]:
    """Student's t over the seeds' means."""
    means = difference.mean(1)
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean() - half), float(means.mean() + half)


def ours(difference: np.ndarray) -> tuple[float, float]:
    """The report's."""
    found = crossed_difference(list(difference), list(np.zeros_like(difference)), resamples=RESAMPLES)
    return found.low, found.high


def draw(generator: np.random.Generator, seeds: int, restless: float, own: float) -> np.ndarray:
    """Right minus right of two methods, (seeds, samples)."""
    hard, liking = generator.normal(1.8, 1, SAMPLES), generator.normal(0, own, SAMPLES)
    sides = [
        hard + sign * liking + generator.normal(0, restless, (seeds, 1)) + generator.normal(0, 0.6, (seeds, SAMPLES))
        > 0
        for sign in (1, -1)
    ]
    return sides[0].astype(float) - sides[1]


def _percentiles(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Print one line per setting: the share of intervals that hold 0."""
    ways: dict[str, Interval] = {"nested": nested, "crossed": crossed, "student": student, "ours": ours}
    print("share of 95 % intervals that hold the truth")
    names = "   ".join(f"{name:>7}" for name in ways)
    print(f"seeds  seeds' sd  methods' own sd   {names}")
    for seeds in (3, 5):
        for restless, own in ((0.05, 0.0), (0.2, 0.0), (0.05, 0.5), (0.2, 0.5)):
            generator = np.random.default_rng(1)
            held = dict.fromkeys(ways, 0)
            for _ in range(REPEATS):
                difference = draw(generator, seeds, restless, own)
                for name, way in ways.items():
                    low, high = way(difference)
                    held[name] += low <= 0 <= high
            shares = "   ".join(f"{100 * count / REPEATS:5.1f} %" for count in held.values())
            print(f"{seeds:5}  {restless:9}  {own:15}   {shares}")


if __name__ == "__main__":
    main()
