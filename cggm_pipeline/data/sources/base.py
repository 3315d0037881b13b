"""What every source promises: the samples' ids and targets at once, their values one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.errors import DataError

Value = np.ndarray | str | bytes | None
"""One modality of one sample: an array, text, the bytes of an image file, or None where the sample lacks it."""


class Raw(ABC):
    """Raw data that have been found and indexed, but whose values are not in memory yet.

    `ids`: one unique string per sample. `labels`: one target per sample, as found (a class name or index, numbers).
    `files`: name to path of every raw file that was used. `splits`: the published split per sample, where there is one.
    `absent`: for modalities with gaps, (n,) bool, True where the sample lacks it. `groups`: the case of every sample,
    where samples belong together: a split never cuts through a group. `banner`: said above everything that is computed
    from these data ("made by cggm twin"), empty for real ones. `notes`: what a person should know about what was read
    (values that were replaced, say), a line each; complete once all samples were read. `left_out`: after
    `kept`, a line for every sample that is left out because it is damaged. `unit_bytes`: about how much memory reading
    one of the `units` takes at its peak, where that is much: fewer threads read then.
    """

    ids: Sequence[str]
    labels: Sequence[str]
    files: Mapping[str, Path]
    splits: Sequence[str] | None = None
    absent: Mapping[str, np.ndarray] = MappingProxyType({})
    groups: Sequence[str] | None = None
    banner: str = ""
    left_out: Sequence[str] = ()
    unit_bytes: int = 0

    @property
    def notes(self) -> Sequence[str]:
        return ()

    def units(self, members: np.ndarray) -> Sequence[np.ndarray]:
        """The samples of a split, (n,) indices, cut into pieces that are read together, in order: a case, a file.

        Several pieces are read at a time by threads, each piece by one; nothing of a piece is kept after it.
        """
        return [members[start : start + 32] for start in range(0, len(members), 32)]

    def kept(self, splits: Sequence[str]) -> Sequence[str]:
        """The split of every sample after those that this source leaves out of a split have got "" instead."""
        return splits

    def told(self, target: np.ndarray, splits: Sequence[str], classes: int) -> np.ndarray:
        """The class indices (n,) that are written for `target`: a source may make some of training's wrong."""
        return target

    def mask(self, index: int) -> np.ndarray:
        """The class of every pixel of sample `index`, (H, W): for data whose target is a mask."""
        raise NotImplementedError(f"{type(self).__name__} has no masks")

    @abstractmethod
    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        """The values of sample `index`; `members` are the indices of its whole split, itself included.

        Whoever pairs samples pairs inside `members`. Several threads call it at a time, and `mask` after it, each for a
        unit of its own. ValueError where a raw file cannot be read.
        """

    def place(self, index: int) -> str:
        """Where a person finds sample `index`: FILE:LINE, or its id."""
        return f"sample {self.ids[index]}"


def raw_path(root: Path, path: str) -> Path:
    """`source.path` below the project folder `root`. DataError where it leads out of it."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise DataError(f"source.path: {path!r} is not a plain path below the project's folder")
    return root / pure


class Source(ABC):
    """A reader of raw data. Its keyword arguments are the fields of its spec."""

    @property
    @abstractmethod
    def modalities(self) -> tuple[str, ...]:
        """The names of what it reads."""

    @abstractmethod
    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Find and index the raw data below the project folder `root`.

        `forms` are the declared shapes. Faults of single rows go to `problems`; what makes reading impossible
        (a missing file) is a DataError.
        """
