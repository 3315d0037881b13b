"""Arrays out of HDF5 files of strangers: plain datasets only, nothing that a file can make us open elsewhere."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cggm_pipeline.errors import DataError

if TYPE_CHECKING:
    import h5py

NUMBERS = "fiu"
LARGEST_CHUNK = 256 * 2**20
"""Bytes that are unpacked at a time; a few packed ones can promise gigabytes."""


def opened(path: Path, name: str) -> h5py.File:
    """The file for reading; it closes when nothing refers to it any more. DataError where it is no HDF5 file.

    `name` stands for the file in messages.
    """
    import h5py

    if not path.is_file():
        raise DataError(f"{name}: error: the file does not exist. Put it there, as its owners publish it")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{name}: error: it is not a readable HDF5 file ({error}). Fetch it again") from error


def dataset(file: h5py.File, key: str, shape: tuple[int | None, ...]) -> h5py.Dataset:
    """The dataset `key` of the file's root, of numbers and of this shape (None: any size); nothing is read yet.

    ValueError where there is none, where it has another shape, and where it is a link or keeps its values in another
    file: an HDF5 file can name any file of this machine as the place of its data.
    """
    import h5py

    if not key or "/" in key or key.strip(".") == "":
        raise ValueError(f"{key!r} is not the name of a dataset")
    link = file.get(key, getlink=True)
    if link is None:
        raise ValueError(f"it has no dataset {key!r}")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{key!r} is a link ({type(link).__name__}), not a dataset of this file; refused")
    found = file[key]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{key!r} is a {type(found).__name__.lower()}, not a dataset")
    if found.is_virtual or found.external:
        raise ValueError(f"{key!r} keeps its values in another file; refused")
    if found.shape is None or found.dtype.kind not in NUMBERS:
        raise ValueError(f"{key!r} holds {found.dtype}, not numbers")
    if prod(found.chunks or ()) * found.dtype.itemsize > LARGEST_CHUNK:
        raise ValueError(f"{key!r} is packed in pieces of {list(found.chunks)} values; refused")
    fits = len(found.shape) == len(shape) and all(
        declared in (None, size) for size, declared in zip(found.shape, shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("T" if size is None else str(size) for size in shape)
        raise ValueError(f"{key!r} has shape {list(found.shape)}, expected [{sizes}]")
    return found


def values(found: h5py.Dataset) -> np.ndarray:
    """All values of a dataset. ValueError where the file is damaged there."""
    try:
        return np.asarray(found[()])
    except OSError as error:
        raise ValueError(f"{found.name[1:]!r} cannot be read ({error}); the file is damaged") from error
