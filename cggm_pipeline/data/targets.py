"""What is to be predicted: the labels of raw data to class indices or real values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw

EMPTY = "the target is empty; remove the row, or fill it in"


class Target(ABC):
    """Labels to numbers. `width`: numbers per sample of real values, 0 for classes. `mask`: (H, W) of masks."""

    width: int = 0

    mask: tuple[int, int] | None = None

    @abstractmethod
    def encode(self, raw: Raw, problems: Problems) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """The targets, and the class names in index order (none for real values). Bad labels go to `problems`.

        No targets: they are masks, which are read sample by sample.
        """


class Classes(Target):
    """A class index per sample, (n,) int64, 0 <= index < `number`.

    Labels are the `names`, where given; else indices, where all labels are whole numbers; else the distinct labels in
    alphabetical order, of which there must be `number`.
    """

    def __init__(self, *, number: int, names: Sequence[str] | None = None) -> None:
        self.number = number
        self.names = None if names is None else tuple(names)

    def encode(self, raw: Raw, problems: Problems) -> tuple[np.ndarray, tuple[str, ...]]:
        names = self._names(raw.labels)
        if len(names) != self.number or len(set(names)) != len(names):
            problems.add(
                "",
                f"target.number is {self.number}, but there are {len(names)} class names: {shortened(names)}. "
                "Correct the number, or list the names in target.names",
            )
        index = {name: position for position, name in enumerate(names)}
        for sample, label in enumerate(raw.labels):
            if not label:
                problems.add(raw.place(sample), EMPTY)
            elif label not in index:
                near = get_close_matches(label, names, 1)
                guess = f". Did you mean {near[0]!r}?" if near else ""
                problems.add(raw.place(sample), f"class {label!r} is none of {shortened(names)}{guess}")
        return np.array([index.get(label, 0) for label in raw.labels], np.int64), names

    def _names(self, labels: Sequence[str]) -> tuple[str, ...]:
        if self.names is not None:
            return self.names
        found = {label for label in labels if label}
        if all(label.isascii() and label.isdigit() for label in found):
            return tuple(str(index) for index in range(self.number))
        return tuple(sorted(found))


class Values(Target):
    """`width` real numbers per sample, (n, width) float32, read from numbers separated by spaces."""

    def __init__(self, *, width: int = 1) -> None:
        self.width = width

    def encode(self, raw: Raw, problems: Problems) -> tuple[np.ndarray, tuple[str, ...]]:
        values = np.zeros((len(raw.labels), self.width), np.float32)
        for sample, label in enumerate(raw.labels):
            if not label:
                problems.add(raw.place(sample), EMPTY)
                continue
            try:
                row = np.array([float(part) for part in label.split()], np.float32)
            except (ValueError, OverflowError):
                problems.add(raw.place(sample), f"target {label!r} is not a number")
                continue
            if row.shape != (self.width,) or not np.isfinite(row).all():
                problems.add(raw.place(sample), f"target {label!r} is not {self.width} finite number(s)")
            else:
                values[sample] = row
        return values, ()


class Mask(Target):
    """A class per pixel of every sample, (H, W) uint8 of `shape`, 0 <= class < `number`; class 0 is the background."""

    def __init__(self, *, number: int, shape: Sequence[int], names: Sequence[str] | None = None) -> None:
        self.number = number
        self.mask = (int(shape[0]), int(shape[1]))
        self.names = None if names is None else tuple(names)

    def encode(self, raw: Raw, problems: Problems) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """No array: a mask is read with its sample. The names, or the indices as names."""
        names = self.names or tuple(str(index) for index in range(self.number))
        if len(names) != self.number:
            problems.add("", f"target.number is {self.number}, but there are {len(names)} names: {shortened(names)}")
        return None, names


def shortened(names: Sequence[str], most: int = 12) -> str:
    """The first `most` of these names in words."""
    rest = f", and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
