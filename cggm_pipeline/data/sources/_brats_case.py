"""One case of BraTS: four contrasts and a segmentation on disk, and what they are in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

CONTRASTS = ("flair", "t1", "t1ce", "t2")

Size = tuple[int, int, int]


class Case(ABC):
    """A case whose files have been found. `name` is its id, `place` its folder or file as a person writes it.

    `files`: every file of it by its name in the project. `labels`: the values that its segmentation may hold.
    All errors are ValueErrors that name the file.
    """

    name: str
    place: str
    files: Mapping[str, Path]
    labels: Sequence[int]

    @abstractmethod
    def size(self) -> Size:
        """(H, W, S) from the headers alone, after they were checked against each other."""

    @abstractmethod
    def contrast(self, name: str, size: Size) -> np.ndarray:
        """One contrast, (H, W, S), as stored. ValueError where it is not of this size or cannot be read."""

    @abstractmethod
    def segmentation(self, size: Size) -> np.ndarray:
        """The labels as stored, (H, W, S). ValueError as for `contrast`."""


class Volume:
    """One contrast in memory as it is stored, with the mean and standard deviation of its brain.

    The brain are the voxels that are not 0: the data sets are skull-stripped, and everything else was set to 0.
    Slices are normalised one at a time, so that a volume costs 2 bytes a voxel where its file has 16 bits.
    """

    def __init__(self, values: np.ndarray) -> None:
        flat = values.ravel(order="K")  # as it lies in memory: ten times faster than row by row
        brain = flat[flat != 0]
        if not brain.size:
            raise ValueError("it has no brain: every voxel is 0")
        if not np.isfinite(brain).all():
            raise ValueError(f"{np.count_nonzero(~np.isfinite(brain)):,} of its voxels are not finite")
        if brain.min() == brain.max():
            raise ValueError(f"all voxels of its brain are {brain[0]}, so it has no contrast")
        self.values = values
        self.mean = float(brain.mean(dtype=np.float64))
        self.deviation = float(brain.std(dtype=np.float64))

    def slice(self, position: int) -> np.ndarray:
        """An axial slice as (1, H, W) float32: z-scored over the brain of the whole volume, 0 outside of it."""
        stored = self.values[:, :, position]
        score = (stored - np.float32(self.mean)).astype(np.float32) / np.float32(self.deviation)
        score[stored == 0] = 0
        return score[None]


class Scan:
    """A whole case in memory: four contrasts as stored (8 bytes a voxel in all where files have 16 bits) and labels."""

    def __init__(self, case: Case, size: Size) -> None:
        self.volumes = {name: _volume(case, name, size) for name in CONTRASTS}
        self.labels = classes(case, size)

    def slices(self, position: int) -> dict[str, np.ndarray]:
        return {name: volume.slice(position) for name, volume in self.volumes.items()}


def _volume(case: Case, name: str, size: Size) -> Volume:
    values = case.contrast(name, size)
    try:
        return Volume(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def classes(case: Case, size: Size) -> np.ndarray:
    """The class of every voxel, (H, W, S) uint8: 0 background, 1 necrosis, 2 edema, 3 enhancing tumour (3 or 4).

    ValueError where the segmentation holds anything else, or both 3 and 4.
    """
    stored = case.segmentation(size)
    found = {label: np.count_nonzero(stored == label) for label in case.labels}
    if sum(found.values()) != stored.size:
        others = [value for value in np.unique(stored).tolist() if value not in case.labels]
        raise ValueError(f"the segmentation holds the labels {_listed(others)}, allowed are {_listed(case.labels)}")
    if found[3] and found.get(4):
        raise ValueError(
            "the segmentation holds both labels 3 and 4; until 2021 enhancing tumour is 4, since 2023 it is 3 "
            "(and the 4 of post-treatment cases, a resection cavity, is no class of this task)"
        )
    indices: np.ndarray = stored.astype(np.uint8)
    indices[indices == 4] = 3
    return indices


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values[:8]) + (", ..." if len(values) > 8 else "")
