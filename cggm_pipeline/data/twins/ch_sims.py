"""A twin of MMSA's unaligned_39.pkl of CH-SIMS: widths and keys of the real file, fewer and shorter clips."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from cggm_pipeline.data.twins._sentiment import labels, steps
from cggm_pipeline.whole import write_whole

SIZES = {"train": 24, "valid": 6, "test": 10}
SHAPES = {"text": (39, 768), "audio": (40, 33), "vision": (6, 709)}
WORDS = {-1: "不好", 0: "一般", 1: "很好"}


def write(folder: Path, *, seed: int = 0) -> None:
    """Write `folder`/unaligned_39.pkl: 40 made-up clips in 24 / 6 / 10."""
    random = np.random.default_rng(seed)
    content = {split: _part(random, split, number) for split, number in SIZES.items()}
    write_whole(folder / "unaligned_39.pkl", pickle.dumps(content, protocol=4))


def _part(random: np.random.Generator, split: str, number: int) -> dict[str, Any]:
    sentiment = labels(random, number, 1)
    lengths = {name: random.integers(steps // 2, steps + 1, number) for name, (steps, _) in SHAPES.items()}
    features = {name: steps(random, 3 * sentiment, name, shape, lengths[name]) for name, shape in SHAPES.items()}
    mask = np.arange(39) < lengths["text"][:, None]
    tokens = np.where(mask, random.integers(672, 7992, mask.shape), 0)
    parts = {
        f"{kind}_labels{of}": sentiment if kind == "regression" else np.sign(sentiment) + 1
        for kind in ("regression", "classification")
        for of in ("", "_T", "_A", "_V")
    }
    return {
        "raw_text": np.array([f"片{index} {WORDS[int(np.sign(y))]}" for index, y in enumerate(sentiment)]),
        "text_bert": np.stack([tokens, mask, np.zeros_like(tokens)], axis=1).astype(np.float32),
        **features,
        **parts,
        "audio_lengths": lengths["audio"].tolist(),
        "vision_lengths": lengths["vision"].tolist(),
        "annotations": np.array([["Negative", "Neutral", "Positive"][int(np.sign(y)) + 1] for y in sentiment]),
        "id": np.array([f"video_{split}_{index // 4:04d}$_${index % 4:04d}" for index in range(number)]),
    }
