"""The published numbers that a row cites: of the complete test split by metric, and per case of missing modalities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.report.cases import Case
from cggm_pipeline.report.verdict import Published
from cggm_pipeline.spec import load_resolved
from cggm_pipeline.spec.claims import UNKNOWN, Claims, Column, claims_path


def published_numbers(root: Path, cited: Mapping[str, Any]) -> dict[str, Published]:
    """From specs/claims/ the numbers of the row that `cited` ({table, row}) names, by this project's metric.

    Those of the complete test split. Where the paper has several columns of one metric, the first. SpecError where the
    document or the row is missing.
    """
    found: dict[str, Published] = {}
    for column, published in _printed(root, cited):
        if column.modalities is None:
            found.setdefault(column.metric, published)
    return found


def published_cases(root: Path, cited: Mapping[str, Any]) -> dict[tuple[str, Case], Published]:
    """The same for cases of missing modalities, by metric and case."""
    found: dict[tuple[str, Case], Published] = {}
    for column, published in _printed(root, cited):
        named = column.modalities
        if named is not None:
            found.setdefault((column.metric, named if isinstance(named, str) else frozenset(named)), published)
    return found


def _printed(root: Path, cited: Mapping[str, Any]) -> Iterator[tuple[Column, Published]]:
    """Every column of the cited row with what the paper prints in it."""
    path = claims_path(root / "specs", str(cited["table"]))
    if not path.is_file():
        raise SpecError(
            [Problem(str(path.relative_to(root)), 0, 0, "", "does not exist", hint="a row cites it as `published`")]
        )
    claims = load_resolved(path, Claims)
    row = str(cited["row"])
    if row not in claims.rows:
        names = ", ".join(claims.rows)
        raise SpecError([Problem(str(path.relative_to(root)), 0, 0, "rows", f"there is no row {row!r}", allowed=names)])
    source = f"{claims.paper}, {claims.table}, {row}"
    for label, column in claims.columns.items():
        number = claims.rows[row].get(label, UNKNOWN)
        value = None if isinstance(number, str) else float(number)
        yield column, Published(value, source, column.direction == "higher", column.scale)
