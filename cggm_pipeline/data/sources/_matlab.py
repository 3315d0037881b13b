"""Numeric matrices from a MATLAB 5 file, and nothing else that such a file may hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cggm_pipeline.errors import DataError

LARGEST = 2**26
MOST = 2**24
NUMERIC = {"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"}


def read_arrays(path: Path, name: str, columns: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The matrices (rows, `columns`) float64 with these names. Sizes and types are looked at before they are read:

    a variable that is a cell, a struct, an object or text, or is larger than 2^24 numbers, is never loaded. DataError
    where one is missing or of another form, or the file cannot be read; `name` stands for it in messages.
    """
    import scipy.io

    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{name}: error: it has {path.stat().st_size:,} bytes; TMC's file has 3,500,922")
        listed = {key: (shape, kind) for key, shape, kind in scipy.io.whosmat(str(path))}
        for key, width in columns.items():
            _check(name, key, width, listed)
        loaded = scipy.io.loadmat(str(path), variable_names=list(columns), appendmat=False)
        arrays = {key: np.asarray(loaded[key], np.float64) for key in columns}
    except DataError:
        raise
    except Exception as error:  # scipy raises anything at all on a damaged file
        reason = str(error).split("\n")[0] or type(error).__name__
        raise DataError(f"{name}: error: it is no readable MATLAB 5 file ({reason}); fetch it again") from error
    for key, array in arrays.items():
        if array.shape != listed[key][0] or not np.isfinite(array).all():
            raise DataError(f"{name}: error: {key} holds numbers that are not finite, or fewer than it says")
    return arrays


def _check(name: str, key: str, width: int, listed: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    if key not in listed:
        raise DataError(f"{name}: error: it has no matrix {key} (it has {', '.join(sorted(listed))[:300]})")
    shape, kind = listed[key]
    if kind not in NUMERIC or len(shape) != 2 or shape[1] != width or not 0 < shape[0] * width <= MOST:
        raise DataError(f"{name}: error: {key} is {kind} {list(shape)[:5]}, expected are numbers [rows, {width}]")
