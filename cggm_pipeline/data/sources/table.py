"""A CSV of one's own: a row is a sample, columns are modalities, a target, an id and, if there is one, a split."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from cggm_pipeline.data.cells import TYPES, Cells
from cggm_pipeline.data.manifest import SPLITS, Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.rows import Row, read_rows
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.errors import DataError


class ColumnLike(Protocol):
    """Which columns make a modality, and what stands in them: image, audio, text, numbers or npy."""

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def type(self) -> str: ...


@dataclass(frozen=True)
class Column:
    """A `ColumnLike` for those who have no spec."""

    columns: Sequence[str]
    type: str


class Table(Source):
    """Samples from the rows of `path`, a CSV in UTF-8 with a header line.

    `columns`: per modality, its columns and their type. Paths in cells are relative to the CSV's folder and stay below
    it. Where all cells of a modality are empty, the sample lacks it. `id`: the column of unique names (null: the number
    of the row, which ties the pinned split to the order of the rows). `split`: a column with train, valid or test.
    """

    def __init__(
        self,
        *,
        path: str,
        columns: Mapping[str, ColumnLike],
        target: str,
        id: str | None = None,
        split: str | None = None,
        delimiter: str = ",",
    ) -> None:
        self.path = path
        self.columns = dict(columns)
        self.target = target
        self.id = id
        self.split = split
        self.delimiter = delimiter

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Read the CSV and check every cell; files are opened later, sound files' headers now."""
        path = raw_path(root, self.path)
        folder = Path(os.path.realpath(path.parent))
        cells = {name: TYPES[column.type](forms[name], folder) for name, column in self.columns.items()}
        for name, column in self.columns.items():
            if cells[name].single and len(column.columns) != 1:
                raise DataError(
                    f"source.columns.{name}: type {column.type} reads one column, not {len(column.columns)}"
                )
        singles = [self.target, *(column for column in (self.id, self.split) if column is not None)]
        needed = [*singles, *(name for column in self.columns.values() for name in column.columns)]
        rows = read_rows(path, self.path, self.delimiter, needed, problems)
        return _Rows(self, rows, cells, path, problems)


class _Rows(Raw):
    def __init__(
        self, table: Table, rows: Sequence[Row], cells: Mapping[str, Cells], path: Path, problems: Problems
    ) -> None:
        self.table = table
        self.rows = rows
        self.cells = cells
        self.ids = [row.cells[table.id].strip() if table.id else str(n) for n, row in enumerate(rows, 1)]
        self.labels = [row.cells[table.target].strip() for row in rows]
        self.splits = [row.cells[table.split].strip() for row in rows] if table.split else None
        self.absent = {name: np.zeros(len(rows), bool) for name in cells}
        self.files: dict[str, Path] = {table.path: path}
        self._check_ids(problems)
        for index in range(len(rows)):
            self._check_row(index, problems)

    def place(self, index: int) -> str:
        return f"{self.table.path}:{self.rows[index].line}"

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        values: dict[str, Value] = {}
        for name, cells in self.cells.items():
            try:
                values[name] = None if self.absent[name][index] else cells.value(self._of(name, index))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return values

    def _of(self, name: str, index: int) -> list[str]:
        return [self.rows[index].cells[column] for column in self.table.columns[name].columns]

    def _check_ids(self, problems: Problems) -> None:
        first: dict[str, int] = {}
        for index, key in enumerate(self.ids):
            if not key or not key.isprintable() or len(key) > 500:
                problems.add(
                    self.place(index), f"{self.table.id}: {key[:50]!r} is not an id (one line of printable text)"
                )
            elif key in first:
                problems.add(self.place(index), f"{self.table.id}: id {key!r} stands in line {first[key]} already")
            first.setdefault(key, self.rows[index].line)

    def _check_row(self, index: int, problems: Problems) -> None:
        if self.splits and self.splits[index] not in SPLITS:
            problems.add(
                self.place(index), f"{self.table.split}: {self.splits[index]!r} is none of {', '.join(SPLITS)}"
            )
        for name, cells in self.cells.items():
            try:
                self._check_cells(name, cells, index)
            except ValueError as error:
                problems.add(self.place(index), f"{name}: {error}")

    def _check_cells(self, name: str, cells: Cells, index: int) -> None:
        found = self._of(name, index)
        empty = [not cell.strip() for cell in found]
        self.absent[name][index] = all(empty)
        if all(empty):
            return
        if any(empty):
            missing = ", ".join(c for c, e in zip(self.table.columns[name].columns, empty, strict=True) if e)
            raise ValueError(f"column(s) {missing} are empty but others are not; empty all of them, or none")
        cells.check(found)
        if cells.names_file:
            self.files[(PurePosixPath(self.table.path).parent / found[0].strip()).as_posix()] = cells.file(found)
