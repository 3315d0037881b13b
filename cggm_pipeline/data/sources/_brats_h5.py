"""Cases of BraTS as h5 files: `image` (4, H, W, S) in the order flair, t1ce, t1, t2, and `label` (H, W, S)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cggm_pipeline.data.sources import _hdf5
from cggm_pipeline.data.sources._brats_case import Case, Size
from cggm_pipeline.data.sources._nifti import DEEPEST

if TYPE_CHECKING:
    import h5py

ORDER = ("flair", "t1ce", "t1", "t2")
"""Of the first axis of `image`, as in the authors' code (zrguo/CGGM)."""


class H5Case(Case):
    """One h5 file that holds its own values. Its labels may be those of any year."""

    labels = (0, 1, 2, 3, 4)

    def __init__(self, path: Path, place: str) -> None:
        self.name = path.stem
        self.place = place
        self.files = {place: path}
        self._path = path

    def size(self) -> Size:
        with self._open() as (_, label):
            height, width, depth = label.shape
            return height, width, depth

    def contrast(self, name: str, size: Size) -> np.ndarray:
        with self._open(size) as (image, _):
            stored: np.ndarray = image[ORDER.index(name)]
        return stored if stored.dtype.itemsize <= 4 else stored.astype(np.float32)

    def segmentation(self, size: Size) -> np.ndarray:
        with self._open(size) as (_, label):
            return _hdf5.values(label)

    @contextmanager
    def _open(self, expected: Size | None = None) -> Iterator[tuple[h5py.Dataset, h5py.Dataset]]:
        """`image` and `label`, unread, after their shapes were checked."""
        import h5py

        try:
            with h5py.File(self._path, "r") as file:
                label = _hdf5.dataset(file, "label", expected or (None, None, None))
                if not all(0 < length <= DEEPEST for length in label.shape):
                    raise ValueError(f"'label' has shape {list(label.shape)}, not three axes of 1 to {DEEPEST}")
                image = _hdf5.dataset(file, "image", (len(ORDER), *label.shape))
                for found in (image, label):
                    if found.chunks and prod(found.chunks) > found.size:
                        raise ValueError(f"{found.name[1:]!r} is stored in pieces larger than itself; refused")
                yield image, label
        except OSError as error:
            raise ValueError(f"{self._path.name} is not a readable h5 file ({error})") from error
