"""BraTS: brain tumours in four MRI contrasts, slice by slice."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cggm_pipeline.data import threads
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.progress import shown
from cggm_pipeline.data.sources._brats_case import CONTRASTS, Case, Scan, Size, classes
from cggm_pipeline.data.sources._brats_folder import find
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.data.twins import marker
from cggm_pipeline.errors import DataError


class BraTS(Source):
    """Axial slices of the cases below `path`: flair, t1, t1ce and t2, (1, H, W) float32 each, and a mask (H, W) uint8.

    Menze et al. 2015; Bakas et al. 2017; Baid et al. 2021 (arXiv 2107.02314). A case is a folder of NIfTI files
    with the names of 2018 to 2021 or of 2023, or an h5 file with `image` (4, H, W, S: flair, t1ce, t1, t2) and `label`
    (H, W, S).

    Each contrast is z-scored over the voxels of its volume that are not 0; those that are 0 stay 0. Classes are
    0 background, 1 necrosis, 2 edema, 3 enhancing tumour (label 4 until 2021). Rows and columns of a slice are the
    first and second axis of the file. `first`, `last` (included; null: the volume's last) and `step` choose slices;
    the splits in `only_tumour` leave out those without tumour. A slice is called CASE/SLICE, and a case is never split.
    """

    def __init__(
        self,
        *,
        path: str = "data/raw/brats",
        first: int = 0,
        last: int | None = None,
        step: int = 1,
        only_tumour: Sequence[str] = ("train",),
    ) -> None:
        self.path = path
        self.first = first
        self.last = last
        self.step = step
        self.only_tumour = tuple(only_tumour)

    @property
    def modalities(self) -> tuple[str, ...]:
        return CONTRASTS

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Find the cases, check headers and affines, and read each segmentation once, several at a time.

        What is wrong with a case goes to `problems`; what is wrong with the folder is a DataError.
        """
        folder = raw_path(root, self.path)
        plane = _plane(forms)
        cases = find(folder, self.path, problems)
        entries: list[_Entry] = []
        indexed = threads.in_order(lambda case: self._index(case, plane), cases)
        for case, entry in zip(cases, shown(indexed, "read segmentations", len(cases)), strict=True):
            if isinstance(entry, str):
                problems.add(case.place, entry)
            else:
                entries.append(entry)
        problems.check()
        return _Slices(entries, self.only_tumour, marker.banner(folder))

    def _index(self, case: Case, plane: tuple[int, int]) -> _Entry | str:
        """What has to be known of a case beforehand, or what is wrong with it. Nothing of its voxels is kept."""
        try:
            size = case.size()
            if size[:2] != plane:
                raise ValueError(f"its slices have the shape {list(size[:2])}, declared are {[1, *plane]} and a mask")
            return _Entry(case, size, self._positions(size[2]), np.any(classes(case, size), axis=(0, 1)))
        except (ValueError, OSError) as error:
            return str(error)

    def _positions(self, depth: int) -> np.ndarray:
        last = depth - 1 if self.last is None else self.last
        if not self.first <= last < depth:
            raise ValueError(f"it has the slices 0 to {depth - 1}; source.first and last are {self.first} and {last}")
        return np.arange(self.first, last + 1, self.step)


class _Entry:
    """A case that was indexed: its size, the slices that were chosen, and which of all slices show tumour."""

    def __init__(self, case: Case, size: Size, positions: np.ndarray, tumour: np.ndarray) -> None:
        self.case = case
        self.size = size
        self.positions = positions
        self.tumour = tumour[positions]


class _Slices(Raw):
    """Every thread keeps the case that it read last, and no other."""

    def __init__(self, entries: Sequence[_Entry], only_tumour: Sequence[str], banner: str) -> None:
        self.entries = entries
        self.only_tumour = only_tumour
        self.banner = banner
        self.owner = np.repeat(np.arange(len(entries)), [len(entry.positions) for entry in entries])
        self.position = np.concatenate([entry.positions for entry in entries])
        self.tumour = np.concatenate([entry.tumour for entry in entries])
        digits = max(3, *(len(str(entry.size[2] - 1)) for entry in entries), 0)
        self.groups = [entries[owner].case.name for owner in self.owner.tolist()]
        self.ids = [f"{case}/{z:0{digits}d}" for case, z in zip(self.groups, self.position.tolist(), strict=True)]
        self.labels = [""] * len(self.ids)
        self.files = {name: path for entry in entries for name, path in entry.case.files.items()}
        self.unit_bytes = max((_bytes(entry) for entry in entries), default=0)
        self._open = threading.local()
        self._without: dict[str, int] = {}

    @property
    def notes(self) -> Sequence[str]:
        return [f"{number:,} slices without tumour are left out of {split}" for split, number in self._without.items()]

    def units(self, members: np.ndarray) -> Sequence[np.ndarray]:
        """One per case: its volumes are unpacked once."""
        return np.split(members, np.flatnonzero(np.diff(self.owner[members])) + 1) if len(members) else []

    def kept(self, splits: Sequence[str]) -> Sequence[str]:
        found = list(zip(splits, self.tumour.tolist(), strict=True))
        self._without = {
            name: sum(split == name and not tumour for split, tumour in found) for name in self.only_tumour
        }
        return ["" if split in self.only_tumour and not tumour else split for split, tumour in found]

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        return self._scan(index).slices(int(self.position[index]))

    def mask(self, index: int) -> np.ndarray:
        return np.ascontiguousarray(self._scan(index).labels[:, :, self.position[index]])

    def _scan(self, index: int) -> Scan:
        """The case of a sample, read where the thread has another one; its fault again where it could not be read."""
        owner = int(self.owner[index])
        if getattr(self._open, "owner", None) != owner:
            self._open.owner, self._open.scan = owner, None  # the one before goes first: never two in memory
            entry = self.entries[owner]
            try:
                self._open.scan = Scan(entry.case, entry.size)
            except (ValueError, OSError) as error:
                self._open.scan = str(error)
        scan: Scan | str = self._open.scan
        if isinstance(scan, str):
            raise ValueError(scan)
        return scan

    def place(self, index: int) -> str:
        return self.entries[int(self.owner[index])].case.place


def _bytes(entry: _Entry) -> int:
    """Of memory while a case is read: its scan (four times 16 bits and a label a voxel), a volume being unpacked (5),
    and the slices that were chosen as they are handed over (four times 32 bits and a label)."""
    height, width, depth = entry.size
    return height * width * (14 * depth + 17 * len(entry.positions))


def _plane(forms: Mapping[str, Form]) -> tuple[int, int]:
    """Height and width of a slice, which all four contrasts declare."""
    shapes = {form.shape for form in forms.values()}
    height, width = next(iter(shapes))[-2:] if all(len(shape) == 3 for shape in shapes) else (None, None)
    if len(shapes) > 1 or height is None or width is None or shapes != {(1, height, width)}:
        told = ", ".join(f"{name} {form}" for name, form in forms.items())
        raise DataError(f"modalities: declared are {told}; BraTS needs one shape [1, H, W] for all four")
    return height, width
