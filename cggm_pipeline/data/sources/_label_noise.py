"""Wrong labels on purpose: a share of the training labels, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cggm_pipeline.data.splits import apportioned, rank


def mislabelled(
    target: np.ndarray, ids: Sequence[str], splits: Sequence[str], *, share: float, seed: int, classes: int
) -> np.ndarray:
    """The classes (n,) int64 with round(share * training) of the training ones replaced by any other, uniformly.

    Every class of the training split loses the same share. Which samples, and what they become, depends on (`seed`, the
    id) alone, not on the order of the samples. Symmetric noise as of Patrini et al. 2017 (CVPR), section 5.
    """
    told = target.copy()
    training = [index for index, split in enumerate(splits) if split == "train"]
    present, sizes = np.unique(target[training], return_counts=True)
    for label, number in zip(present.tolist(), apportioned(sizes, share, sizes).tolist(), strict=True):
        members = sorted((i for i in training if target[i] == label), key=lambda index: rank(seed, ids[index]))
        for index in members[:number]:
            step = int.from_bytes(rank(seed, f"{ids[index]}:class")[:8]) % (classes - 1)
            told[index] = (label + 1 + step) % classes
    return told
