"""Made-up utterances: sequences of noise that lean along one direction as far as their sentiment, blurred, says."""

from __future__ import annotations

import numpy as np

STRENGTHS = {"text": 0.2, "vision": 0.9, "audio": 1.5}
"""Standard deviation of the blur of a label in [-3, 3], per modality: text says most, audio least."""


def labels(random: np.random.Generator, number: int, limit: float) -> np.ndarray:
    """`number` sentiments in [-limit, limit], in tenths of the limit, zero among them; (n,) float32."""
    return (random.integers(-10, 11, number) * (limit / 10)).astype(np.float32)


def steps(
    random: np.random.Generator, sentiment: np.ndarray, modality: str, shape: tuple[int, int], lengths: np.ndarray
) -> np.ndarray:
    """(n, T, D) float32, zeros after `lengths`. `sentiment`: (n,) in [-3, 3].

    The direction depends on the modality and its width alone, so that all splits share it.
    """
    direction = np.random.default_rng([len(modality), shape[1]]).choice([-0.3, 0.3], shape[1])
    blurred = sentiment + STRENGTHS[modality] * random.standard_normal(len(sentiment))
    noise = random.standard_normal((len(sentiment), *shape), dtype=np.float32)
    values: np.ndarray = 0.5 * noise + (blurred[:, None] * direction).astype(np.float32)[:, None]
    values[np.arange(shape[0]) >= lengths[:, None]] = 0
    return values
