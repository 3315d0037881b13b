"""A CSV file to rows with line numbers, every fault noted with its FILE:LINE."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cggm_pipeline.data.problems import Problems
from cggm_pipeline.errors import DataError


@dataclass(frozen=True)
class Row:
    """One row: the line where it starts, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_rows(
    path: Path, name: str, delimiter: str, needed: Sequence[str], problems: Problems, *, header: bool = True
) -> list[Row]:
    """The rows of a CSV file in UTF-8 with a header line that has at least the `needed` columns.

    Without `header`, the file has no such line, and its columns are those that are `needed`.
    Rows with too few or too many cells go to `problems` and are left out. Empty lines mean nothing. Raises DataError
    where the file is missing, not UTF-8, badly quoted, or lacks a column. `name` stands for the file in messages.
    """
    rows: list[Row] = []
    reader = csv.reader(_lines(path, name), delimiter=delimiter, strict=True)
    try:
        columns = next(reader, []) if header else list(needed)
        _check_header(name, columns, needed, delimiter)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(columns):
                rows.append(Row(line, dict(zip(columns, cells, strict=True))))
            elif cells:
                expected = f"the header has {len(columns)} columns" if header else f"expected are {', '.join(columns)}"
                problems.add(f"{name}:{line}", f"the row has {len(cells)} cells, {expected}")
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}:{reader.line_num}: error: not a CSV row ({error})") from error
    if not rows and not problems.count:
        raise DataError(f"{name}: error: the table has no rows")
    return rows


def _lines(path: Path, name: str) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"source.path: {name} cannot be read: {error.strerror}. Put the CSV there") from error
    try:
        return list(io.StringIO(data.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}:{line}: error: byte 0x{data[error.start]:02x} is not UTF-8; save the table as UTF-8"
        ) from error


def _check_header(name: str, header: Sequence[str], needed: Iterable[str], delimiter: str) -> None:
    if not header:
        raise DataError(f"{name}:1: error: the file is empty; it needs a line with the names of the columns")
    problems = Problems()
    for column in sorted({column for column in header if header.count(column) > 1}):
        problems.add(f"{name}:1", f"the header has column {column!r} {header.count(column)} times")
    for column in sorted(set(needed) - set(header)):
        near = get_close_matches(column, header, 1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        problems.add(
            f"{name}:1", f"there is no column {column!r} (columns split by {delimiter!r}: {', '.join(header)}).{guess}"
        )
    problems.check()
