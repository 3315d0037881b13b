"""How the samples of one modality stand in an Arrow file, and how they come out of it again. One class per way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cggm_pipeline.data.images import Picture, decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.errors import DataError

if TYPE_CHECKING:
    from cggm_pipeline.data.sources.base import Value


class Column(ABC):
    """One modality on disk. `type` is its Arrow type; `varies`: whether the sizes of its samples do.

    A sample that lacks the modality is stored as zeros (one zero step of a sequence, an empty string, no bytes); the
    column NAME.present says so. A chunk is what `chunk` makes of an array of one record batch: views, never copies.
    """

    type: pa.DataType
    varies: bool = True

    def __init__(self, form: Form) -> None:
        self.form = form

    @abstractmethod
    def pack(self, samples: Sequence[Value]) -> pa.Array:
        """The Arrow array of these samples, which `checked` let through."""

    @abstractmethod
    def chunk(self, array: pa.Array) -> Any:
        """Views on the values of one record batch."""

    @abstractmethod
    def pick(self, chunk: Any, rows: np.ndarray) -> list[np.ndarray]:
        """The values of these rows of a chunk: views, or decoded."""

    def pixels(self, value: Any) -> np.ndarray:
        """The values of a sample that `checked` let through, for the statistics."""
        return np.asarray(value)

    def checked(self, value: Value) -> Value:
        """The value in the declared dtype. ValueError where it has another shape, does not fit, or is not finite."""
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{type(value).__name__} where an array {self.form} is declared")
        return fitted(value, self.form)


class Fixed(Column):
    """Arrays of one shape: a fixed-shape tensor column."""

    varies = False

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.shape = tuple(size for size in form.shape if size is not None)
        self.type = pa.fixed_shape_tensor(primitive(form.dtype), list(self.shape))

    def pack(self, samples: Sequence[Value]) -> pa.Array:
        zero = np.zeros(self.shape, self.form.dtype)
        flat = np.stack([zero if value is None else value for value in samples]).reshape(-1)
        return pa.ExtensionArray.from_storage(
            self.type, pa.FixedSizeListArray.from_arrays(pa.array(flat), prod(self.shape))
        )

    def chunk(self, array: pa.Array) -> np.ndarray:
        flat: np.ndarray = array.storage.flatten().to_numpy(zero_copy_only=True)
        return flat.reshape(len(array), *self.shape)

    def pick(self, chunk: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        return [chunk[row] for row in rows.tolist()]


class Ragged(Column):
    """Sequences (T, ...) of varying length T: a list column."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.rest = tuple(size for size in form.shape[1:] if size is not None)
        inner = primitive(form.dtype)
        self.type = pa.list_(pa.list_(inner, prod(self.rest)) if self.rest else inner)

    def pack(self, samples: Sequence[Value]) -> pa.Array:
        zero = np.zeros((1, *self.rest), self.form.dtype)
        arrays = [zero if value is None else value for value in samples]
        flat = pa.array(np.concatenate(arrays).reshape(-1))
        values = pa.FixedSizeListArray.from_arrays(flat, prod(self.rest)) if self.rest else flat
        return pa.ListArray.from_arrays(pa.array(offsets(len(a) for a in arrays)), values)

    def chunk(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        flat = array.values.flatten() if self.rest else array.values
        values = flat.to_numpy(zero_copy_only=True).reshape(-1, *self.rest)
        return array.offsets.to_numpy(zero_copy_only=True), values

    def pick(self, chunk: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        return slices(*chunk, rows)


class Text(Column):
    """Strings: a utf8 column; they come out as their UTF-8 bytes, (T,) uint8."""

    type = pa.utf8()

    def pack(self, samples: Sequence[Value]) -> pa.Array:
        return pa.array(["\0" if value is None else value for value in samples], self.type)

    def chunk(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        return byte_views(array)

    def pick(self, chunk: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        return slices(*chunk, rows)

    def checked(self, value: Value) -> Value:
        if not isinstance(value, str):
            raise ValueError(f"{type(value).__name__} where text is declared")
        if not value:
            raise ValueError("empty text")
        value.encode()  # a lone surrogate is no text: UnicodeEncodeError is a ValueError
        return value


class Encoded(Column):
    """Images of varying size: a binary column of image files as they came; they come out as (C, H, W) uint8."""

    type = pa.binary()

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.channels = form.shape[0] or 0

    def pack(self, samples: Sequence[Value]) -> pa.Array:
        return pa.array([value or b"" for value in samples], self.type)

    def chunk(self, array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        return byte_views(array)

    def pick(self, chunk: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        blank = np.zeros((self.channels, 1, 1), np.uint8)
        return [decode(data.tobytes(), self.channels) if len(data) else blank for data in slices(*chunk, rows)]

    def checked(self, value: Value) -> Value:
        if not isinstance(value, bytes):
            raise ValueError("only image files can vary in height and width; other arrays need their sizes declared")
        if isinstance(value, Picture) and self.form.shape[1:] == (None, None):
            return value
        image = decode(value, self.channels)
        for size, declared in zip(image.shape[1:], self.form.shape[1:], strict=True):
            if declared not in (None, size):
                raise ValueError(f"it has shape {list(image.shape)}, declared is {self.form}")
        return value

    def pixels(self, value: Any) -> np.ndarray:
        return decode(value, self.channels)


def column(form: Form) -> Column:
    """The way in which a modality of this form is stored. DataError where there is none."""
    free = [axis for axis, size in enumerate(form.shape) if size is None]
    if form.dtype == "text":
        return Text(form)
    if form.shape and not free:
        if prod(size or 0 for size in form.shape) >= 2**31:
            raise DataError(
                f"a sample of shape {form} is too large: the prepared form holds up to 2^31 - 1 numbers each"
            )
        return Fixed(form)
    if free == [0]:
        return Ragged(form)
    if len(form.shape) == 3 and 0 not in free and form.dtype == "uint8":
        return Encoded(form)
    raise DataError(
        f"no way to store samples of shape {form}: either all sizes are given, or the first is null (a sequence), "
        "or height and width of a uint8 image are null"
    )


def fitted(value: np.ndarray, form: Form) -> np.ndarray:
    """`value` as contiguous array of the declared dtype. ValueError where shape, kind, range or finiteness is wrong."""
    fits = len(value.shape) == len(form.shape) and all(
        declared in (None, size) for size, declared in zip(value.shape, form.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"it has shape {list(value.shape)}, declared is {form}")
    if not value.size:
        raise ValueError(f"it is empty (shape {list(value.shape)})")
    if value.dtype.kind not in "fiub" or (value.dtype.kind == "f" and np.dtype(form.dtype).kind != "f"):
        raise ValueError(f"it has dtype {value.dtype}, which does not become {form.dtype} without loss")
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(value, form.dtype)
    if cast.dtype.kind == "f" and not np.isfinite(cast).all():
        raise ValueError(f"it holds values that are not finite in {form.dtype}")
    if cast.dtype.kind in "iu" and not np.array_equal(cast, value):
        raise ValueError(f"it holds values outside the range of {form.dtype}")
    return cast


def primitive(dtype: str) -> pa.DataType:
    return pa.from_numpy_dtype(np.dtype(dtype))


def offsets(lengths: Any) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(list(lengths))]).astype(np.int32)


def slices(starts: np.ndarray, values: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    return [values[starts[row] : starts[row + 1]] for row in rows.tolist()]


def byte_views(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    _, starts, data = array.buffers()
    values = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return np.frombuffer(starts, np.int32)[: len(array) + 1], values
