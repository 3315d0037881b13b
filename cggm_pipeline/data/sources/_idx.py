"""The IDX files of MNIST, plain or gzipped."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from cggm_pipeline.errors import DataError

LARGEST = 2**28
"""More bytes than this no file of MNIST has: a small gzip file may promise any number of them."""


def read_idx(path: Path, name: str, rank: int) -> np.ndarray:
    """The uint8 array in an IDX file: 0x00 0x00 0x08 `rank`, then `rank` sizes as big-endian uint32, then the values.

    A file whose name ends in .gz is decompressed. DataError where it is no such file, is cut off, or holds more than it
    says; `name` stands for it in messages.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            head = stream.read(4 + 4 * rank)
            sizes = _sizes(head, name, rank)
            number = int(np.prod(sizes, dtype=np.float64))
            data = stream.read(number + 1) if number <= LARGEST else b""
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: error: it cannot be read ({error}); fetch the file again") from error
    if len(data) != number:
        more = "more" if len(data) > number else f"{len(data):,}"
        raise DataError(f"{name}: error: its head says {number:,} bytes, it holds {more}; fetch the file again")
    return np.frombuffer(data, np.uint8).reshape(sizes)


def _sizes(head: bytes, name: str, rank: int) -> list[int]:
    expected = bytes([0, 0, 8, rank])
    if len(head) < 4 + 4 * rank or head[:4] != expected:
        raise DataError(f"{name}: error: it begins with {head[:4].hex(' ')}, an IDX file here with {expected.hex(' ')}")
    return [int(size) for size in np.frombuffer(head[4:], ">u4")]
