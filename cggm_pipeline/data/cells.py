"""What can stand in a cell of a table: a number, text, or the path of an image, a sound or a .npy file."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from cggm_pipeline.data.images import decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.sources.base import Value

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)


class Cells(ABC):
    """One modality of a table. `form` is its declared form, `folder` the CSV's, with every link followed."""

    single: ClassVar[bool] = True
    names_file: ClassVar[bool] = True

    def __init__(self, form: Form, folder: Path) -> None:
        self.form = form
        self.folder = folder

    @abstractmethod
    def check(self, cells: Sequence[str]) -> None:
        """ValueError where these cells, none of them empty, cannot hold the modality. Reads headers at most."""

    @abstractmethod
    def value(self, cells: Sequence[str]) -> Value:
        """What the cells hold. ValueError where it cannot be read."""

    def file(self, cells: Sequence[str]) -> Path:
        """The file that the cell names, where cells of this type name one: a path relative to the CSV's folder."""
        return self.folder / cells[0].strip()


class Numbers(Cells):
    """Numeric columns, one number each: a vector (D,)."""

    single: ClassVar[bool] = False
    names_file: ClassVar[bool] = False

    def check(self, cells: Sequence[str]) -> None:
        pattern, what = (
            (INTEGER, "an integer") if self.form.dtype.strip("u").startswith("int") else (NUMBER, "a number")
        )
        for cell in cells:
            if not pattern.fullmatch(cell.strip()):
                raise ValueError(f"{cell!r} is not {what} (digits, a decimal point, no separators, no NaN)")

    def value(self, cells: Sequence[str]) -> Value:
        whole = np.dtype(self.form.dtype).kind in "iu"
        return np.array([int(cell) if whole else float(cell) for cell in cells], np.int64 if whole else np.float64)


class Text(Cells):
    """The cell itself."""

    names_file: ClassVar[bool] = False

    def check(self, cells: Sequence[str]) -> None:
        if self.form.dtype != "text":
            raise ValueError(f"text needs dtype: text and shape: [], declared is {self.form}")

    def value(self, cells: Sequence[str]) -> Value:
        return cells[0]


class Image(Cells):
    """An image file, (C, H, W) uint8. Where height and width are declared null, its bytes are kept as they are."""

    def check(self, cells: Sequence[str]) -> None:
        inside(self.folder, cells[0])

    def value(self, cells: Sequence[str]) -> Value:
        data = _read(self.file(cells))
        if None in self.form.shape or len(self.form.shape) != 3:
            return data
        pixels = decode(data, self.form.shape[0] or 0)
        if pixels.shape != self.form.shape:
            raise ValueError(
                f"{cells[0]} has shape {list(pixels.shape)}, declared is {self.form}. For images of varying size "
                f"declare [{self.form.shape[0]}, null, null] and put a resize first among the transforms"
            )
        return pixels


class Audio(Cells):
    """A sound file, (T, C) float32 in [-1, 1], or (T,) where one axis is declared. All must have one sampling rate."""

    def __init__(self, form: Form, folder: Path) -> None:
        super().__init__(form, folder)
        self._rate: tuple[int, str] | None = None

    def check(self, cells: Sequence[str]) -> None:
        import soundfile

        inside(self.folder, cells[0])
        try:
            rate = soundfile.info(str(self.file(cells))).samplerate
        except (RuntimeError, OSError) as error:
            raise ValueError(f"{cells[0]} is not a readable sound file ({error})") from error
        self._rate = self._rate or (rate, cells[0])
        if rate != self._rate[0]:
            raise ValueError(f"{cells[0]} has {rate} Hz, {self._rate[1]} has {self._rate[0]} Hz; resample to one rate")

    def value(self, cells: Sequence[str]) -> Value:
        import soundfile

        try:
            samples: np.ndarray = soundfile.read(str(self.file(cells)), dtype="float32", always_2d=True)[0]
        except (RuntimeError, OSError) as error:
            raise ValueError(f"{cells[0]} is not a readable sound file ({error})") from error
        channels = self.form.shape[1] if len(self.form.shape) == 2 else 1
        if samples.shape[1] != channels:
            raise ValueError(f"{cells[0]} has {samples.shape[1]} channel(s), declared are {channels}")
        return samples if len(self.form.shape) == 2 else samples[:, 0]


class Npy(Cells):
    """An array in NumPy's format, without pickled objects."""

    def check(self, cells: Sequence[str]) -> None:
        inside(self.folder, cells[0])

    def value(self, cells: Sequence[str]) -> Value:
        try:
            array = np.load(self.file(cells), allow_pickle=False)
        except (ValueError, OSError, EOFError, MemoryError, SyntaxError) as error:
            raise ValueError(f"{cells[0]} is not a readable .npy file ({error})") from error
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{cells[0]} holds several arrays (.npz); store one array as .npy")
        return array


TYPES: Mapping[str, type[Cells]] = {"image": Image, "audio": Audio, "text": Text, "numbers": Numbers, "npy": Npy}
"""The types that a column of a table can have."""


def inside(folder: Path, cell: str) -> None:
    """ValueError where the file is missing, or is not below `folder` once every link is followed."""
    if not os.path.isfile(below(folder, cell, "the CSV's folder")):
        raise ValueError(f"file {cell!r} does not exist below the CSV's folder")


def below(folder: Path, cell: str, place: str) -> str:
    """The file, every link followed. ValueError where it is not below `folder`, itself free of links, named `place`."""
    name = cell.strip()
    if not name or not name.isprintable() or os.path.isabs(name) or ".." in Path(name).parts:
        raise ValueError(f"path {cell!r} is not a plain path below {place}")
    real = os.path.realpath(folder / name)
    if not real.startswith(f"{folder}{os.sep}"):
        raise ValueError(f"path {cell!r} leads out of {place} through a link; put the file itself there")
    return real


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror})") from error
