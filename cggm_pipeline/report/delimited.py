"""The table as CSV: one line per row and metric, numbers as stored, nothing rounded; for programs.

A table about missing modalities has a further column, `case`, and a line for each case as well.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import isnan

from cggm_pipeline.report.cases import Cell as CaseCell
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Cell, Row, Table

COLUMNS = (
    "table", "row", "label", "metric", "unit", "scale", "mean", "sd", "n", "difference", "low", "high", "covers",
    "p", "p_holm", "published", "source", "verdict", "parameters", "trainable_parameters",
    "classifier_parameters", "step_seconds", "memory_bytes", "note", "protocol", "banner",
)  # fmt: skip
CASE = "case"
"""Which modalities are there (`audio+text`), `incomplete`, or `rate 0.3`; empty on the complete test split."""


def delimited(table: Table, protocol: Protocol, cases: Sequence[CaseCell] = ()) -> str:
    """RFC 4180 with a header line. Empty: there is no such number. Printed values are `scale` times the stored ones."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, CASE] if cases else COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in table.rows:
        for metric in table.metrics:
            cell = row.cells[metric.name]
            numbers = _numbers(cell) | _compared(cell) | _cost(row)
            writer.writerow(_fixed(table, protocol, row.slug, row.label, metric) | numbers)
    for case in cases:
        fixed = _fixed(table, protocol, case.slug, case.label, case.metric)
        writer.writerow(fixed | _numbers(case) | {CASE: case.case})
    return text.getvalue()


def _fixed(table: Table, protocol: Protocol, slug: str, label: str, metric: Metric) -> dict[str, str]:
    named = {"table": table.name, "row": slug, "label": _inert(label), "metric": metric.name}
    banner = _inert("; ".join(table.banners))
    return named | {"unit": metric.unit, "scale": f"{metric.scale:g}", "protocol": protocol.hash, "banner": banner}


def _compared(cell: Cell) -> dict[str, str]:
    if cell.difference is None:
        return {}
    low, high = _text(cell.difference.low), _text(cell.difference.high)
    found = {"difference": _text(cell.difference.mean), "low": low, "high": high, "covers": str(cell.difference.covers)}
    return found | {"p": _text(cell.difference.p), "p_holm": _text(cell.difference.holm)}


def _numbers(cell: Cell | CaseCell) -> dict[str, str]:
    found: dict[str, str] = {}
    if cell.summary is not None:
        found |= {"mean": _text(cell.summary.mean), "sd": _text(cell.summary.sd), "n": str(cell.summary.n)}
    if cell.published is not None:
        value = "" if cell.published.value is None else _text(cell.published.value)
        found |= {"published": value, "source": _inert(cell.published.source), "verdict": cell.verdict.text}
    return found


def _cost(row: Row) -> dict[str, str]:
    values = {
        "parameters": row.cost.parameters,
        "trainable_parameters": row.cost.trainable,
        "classifier_parameters": row.cost.classifiers,
        "step_seconds": row.cost.step,
        "memory_bytes": row.cost.memory,
    }
    return {name: _text(value) for name, value in values.items() if value is not None} | {"note": _inert(row.note)}


def _inert(text: str) -> str:
    """Free text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _text(value: float) -> str:
    return "" if isnan(value) else repr(value)
