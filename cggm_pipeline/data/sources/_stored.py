"""numpy arrays as they stand in a pickle, and what stands for the functions that numpy's pickles call."""

from __future__ import annotations

import re
import sys
from math import prod
from typing import Any

import numpy as np

CODE = re.compile(r"f[248]|[iu][1248]|b1|[SU]\d{1,6}|O[48]?")


class ForbiddenError(Exception):
    """The pickle asks for something that no array needs: it is hostile, not damaged."""


class Dtype:
    """The element type of a stored array: numbers (f, i, u, b), strings (S, U) or objects (O), with its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not CODE.fullmatch(code):
            raise ForbiddenError(f"arrays of dtype {str(code)[:50]!r}")
        self.code = code
        self.order = "|"

    def fill(self, state: Any) -> None:
        """What follows in the pickle: (version, byte order, no sub-array, no field names, no fields, ...)."""
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise ForbiddenError("arrays of records")
        self.order = state[1]

    @property
    def objects(self) -> bool:
        return self.code.startswith("O")


class Stored:
    """An array as it stands in a pickle: sizes, element type, and its bytes (for objects, a list)."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = Dtype("u1")
        self.fortran = False
        self.raw: Any = b""

    def fill(self, state: Any) -> None:
        """What follows in the pickle: (version, shape, dtype, Fortran order?, bytes or list)."""
        shape, dtype, fortran, raw = state[-4:]
        if not isinstance(dtype, Dtype) or not all(isinstance(size, int) and size >= 0 for size in tuple(shape)):
            raise ValueError("an array without sizes or element type")
        if not isinstance(raw, list if dtype.objects else str | bytes | bytearray):
            raise ValueError(f"an array of {dtype.code} out of {type(raw).__name__}")
        self.shape, self.dtype, self.fortran, self.raw = tuple(shape), dtype, bool(fortran), raw

    def array(self) -> np.ndarray:
        """The array: a read-only view on the pickle's bytes. ValueError where they do not make these sizes.

        Python 2 wrote bytes as a string; those are copied. Arrays of objects become lists by `flat`.
        """
        if self.dtype.objects:
            raise ValueError("it is an array of Python objects, not of numbers")
        raw = self.raw.encode("latin1") if isinstance(self.raw, str) else self.raw
        dtype = np.dtype(self.dtype.order + self.dtype.code)
        if len(raw) != prod(self.shape) * dtype.itemsize:
            raise ValueError(f"its {len(raw):,} bytes are no array {list(self.shape)} of {self.dtype.code}")
        array = np.frombuffer(raw, dtype) if raw else np.zeros(0, dtype)
        if dtype.kind == "U" and array.size and int(np.frombuffer(raw, dtype.byteorder + "u4").max()) > sys.maxunicode:
            raise ValueError("its text holds a number that is no character")
        array.flags.writeable = False
        return array.reshape(self.shape, order="F" if self.fortran else "C")

    def flat(self) -> list[Any]:
        """The elements in a list, whatever they are."""
        if not self.dtype.objects:
            return list(self.array().reshape(-1).tolist())
        if len(self.raw) != prod(self.shape):
            raise ValueError(f"its {len(self.raw):,} objects are no array {list(self.shape)}")
        return list(self.raw)


def started(*_: object) -> Stored:
    """numpy's `_reconstruct`: an array whose content follows."""
    return Stored()


def from_buffer(raw: object, dtype: object, shape: object, order: object) -> Stored:
    """numpy's `_frombuffer`, protocol 5."""
    stored = Stored()
    stored.fill((shape, dtype, order == "F", raw))
    return stored


def empty() -> bytes:
    """How protocols below 3 say b""."""
    return b""


def scalar(dtype: object, raw: object) -> object:
    """numpy's `scalar`, as the Python number or string that it is."""
    return from_buffer(raw, dtype, (), "C").array().item()
