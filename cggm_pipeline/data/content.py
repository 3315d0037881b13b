"""What is to be written as a prepared folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from cggm_pipeline.data.manifest import SPLITS, File, Form
from cggm_pipeline.data.sources.base import Raw


@dataclass(frozen=True)
class Content:
    """What is to be written.

    `target`: (n,) int64 class indices, (n, width) float32, or null where it is a class per pixel, of `mask` (H, W).
    `splits`: one per sample, "" for those that are left out. `origins`: what they come from beside the raw files
    (weights), by name, for the manifest.
    """

    dataset: str
    raw: Raw
    forms: Mapping[str, Form]
    target: np.ndarray | None
    classes: Sequence[str]
    splits: Sequence[str]
    mask: tuple[int, int] | None = None
    origins: Mapping[str, File] = field(default_factory=dict)

    def members(self, split: str) -> np.ndarray:
        """The indices of the samples of a split, in the order of the raw data, and each group in one piece."""
        members = np.flatnonzero(np.array(self.splits) == split)
        if self.raw.groups is None:
            return members
        groups = np.array(self.raw.groups)[members]
        _, first, code = np.unique(groups, return_index=True, return_inverse=True)
        return members[np.argsort(first[code], kind="stable")]

    @property
    def width(self) -> int:
        """Numbers per sample of a real-valued target."""
        return 0 if self.classes or self.target is None else int(self.target.shape[1])

    @property
    def gaps(self) -> Mapping[str, np.ndarray]:
        """For the modalities that some sample lacks: (n,) bool, True where it does."""
        return {
            name: self.raw.absent[name]
            for name in self.forms
            if name in self.raw.absent and self.raw.absent[name].any()
        }

    def estimate(self) -> tuple[int, list[str]]:
        """About how many bytes it takes on disk, and the modalities that are not counted because their sizes vary."""
        fixed = {name: form for name, form in self.forms.items() if form.dtype != "text" and None not in form.shape}
        sample = sum(prod(size or 0 for size in f.shape) * np.dtype(f.dtype).itemsize for f in fixed.values())
        sample += prod(self.mask) if self.mask else 8 * max(self.width, 1)
        number = sum(split in SPLITS for split in self.splits)
        return number * sample, [name for name in self.forms if name not in fixed]
