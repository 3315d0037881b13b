"""The published numbers that a row cites, by metric."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.report.verdict import Published
from cggm_pipeline.spec import load_resolved
from cggm_pipeline.spec.claims import UNKNOWN, Claims, claims_path


def published_numbers(root: Path, cited: Mapping[str, Any]) -> dict[str, Published]:
    """From specs/claims/ the numbers of the row that `cited` ({table, row}) names, by this project's metric.

    Where the paper has several columns of one metric, the first. SpecError where the document or the row is missing.
    """
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
    found: dict[str, Published] = {}
    for label, column in claims.columns.items():
        number = claims.rows[row].get(label, UNKNOWN)
        value = None if isinstance(number, str) else float(number)
        if column.metric not in found:
            found[column.metric] = Published(value, source, column.direction == "higher", column.scale)
    return found
