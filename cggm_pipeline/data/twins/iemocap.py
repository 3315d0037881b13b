"""IEMOCAP's twin: features of made-up utterances in the files of MMIN, fold 1 only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

FILES: Mapping[str, tuple[str, int, float]] = {
    "audio": ("A/comparE.h5", 130, 0.13),
    "text": ("L/bert_large.h5", 1024, 0.08),
    "video": ("V/denseface.h5", 342, 0.06),
}
"""Modality -> file, width of a step, and how far the emotion moves a step, in standard deviations of its noise."""
SPLITS: Mapping[str, int] = {"trn": 64, "val": 24, "tst": 32}
CLASSES = 4
STEPS = (3, 8)
PADDED = 2
"""Zero steps after the end of every second video, as the published files have them."""


def write(folder: Path, *, seed: int = 0) -> None:
    """Write 64, 24 and 32 utterances of four emotions below `folder`: real widths, 3 to 7 steps, about 4 MB.

    Every modality tells the emotion a little, text and audio more than video; audio features have units of their own,
    so that a z-score matters.
    """
    random = np.random.default_rng(seed)
    names, labels = _folds(random)
    target = folder / "target" / "1"
    target.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        np.save(target / f"{split}_int2name.npy", np.array(names[split], "S")[:, None])
        np.save(target / f"{split}_label.npy", np.eye(CLASSES, dtype=np.float32)[labels[split]])
    utterances = [(key, label) for split in SPLITS for key, label in zip(names[split], labels[split], strict=True)]
    for file, width, signal in FILES.values():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        _features(path, utterances, width, signal, random)


def _folds(random: np.random.Generator) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """Names as the corpus has them (session, speaker, dialogue, turn), and emotions in equal parts, shuffled."""
    names: dict[str, list[str]] = {}
    labels: dict[str, list[int]] = {}
    for session, (split, number) in enumerate(SPLITS.items(), 1):
        names[split] = [f"Ses{session:02d}F_impro01_{'FM'[turn % 2]}{turn // 2:03d}" for turn in range(number)]
        labels[split] = random.permutation(np.arange(number) % CLASSES).tolist()
    return names, labels


def _features(
    path: Path, utterances: list[tuple[str, int]], width: int, signal: float, random: np.random.Generator
) -> None:
    """One dataset per utterance, (steps, width) float32: a direction per emotion, plus noise."""
    import h5py

    directions = random.normal(size=(CLASSES, width)) * signal
    scale = np.exp(random.normal(size=width)) if path.parent.name == "A" else np.ones(width)
    with h5py.File(path, "w", libver="latest") as file:
        for number, (key, label) in enumerate(utterances):
            steps = directions[label] + random.normal(size=(int(random.integers(*STEPS)), width))
            padding = np.zeros((PADDED if path.parent.name == "V" and number % 2 else 0, width))
            values = np.concatenate([steps * scale, padding]).astype(np.float32)
            file.create_dataset(key, data=values, track_times=False)
