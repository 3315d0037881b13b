"""Confusion matrices of classifications."""

from __future__ import annotations

import numpy as np


def confusion(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Counts (C, C), true class by predicted class, of logits (N, C) against class indices (N,)."""
    classes = logits.shape[1]
    counts = np.bincount(target * classes + logits.argmax(1), minlength=classes * classes)
    return counts.reshape(classes, classes)
