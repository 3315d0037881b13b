"""A .npy file of strangers to an array: no pickled objects, no more memory than the file has bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cggm_pipeline.errors import DataError


def read_npy(path: Path, name: str) -> np.ndarray:
    """The array in a .npy file. DataError where the file is missing, damaged, or holds pickled objects.

    It is mapped before it is copied, so that a header that promises more than the file holds costs nothing.
    `name` stands for the file in messages.
    """
    if not path.is_file():
        raise DataError(f"{name}: error: the file does not exist. Put it there, as its owners publish it")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, SyntaxError, OverflowError, TypeError) as error:
        reason = str(error) if "allow_pickle" not in str(error) else "pickled objects, or not .npy at all"
        raise DataError(
            f"{name}: error: it is not a plain .npy array ({reason}). Pickled Python objects are never loaded: "
            f"fetch the file again, or have its owner save it with numpy.save(..., allow_pickle=False)"
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{name}: error: it holds several arrays (.npz); save the one that is meant as .npy")
    return np.array(array)
