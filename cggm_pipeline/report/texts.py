"""The words in a cell: one place for all printed forms of the table, so that they cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import Difference, Summary
from cggm_pipeline.report.table import Cost, Row, Table
from cggm_pipeline.report.verdict import Published


@dataclass(frozen=True)
class Line:
    """One printed row. With a `note` instead of numbers, `cells` is the label and the note."""

    row: Row
    cells: tuple[str, ...]
    note: str = ""


def header(table: Table) -> tuple[str, ...]:
    """The names of the columns, in the order of `lines`."""
    first = [table.metric.heading]
    others = [metric.heading for metric in table.metrics[1:]]
    difference = [f"difference to {table.base.label} [95 %]"] if table.base is not None else []
    claims = ["published", "verdict"] if table.claims else []
    return ("method", *first, "n", *difference, *claims, *others, "parameters", "ms / step", "memory [MB]")


def lines(table: Table) -> list[Line]:
    """Every row as text."""
    return [_line(table, row) for row in table.rows]


def _line(table: Table, row: Row) -> Line:
    label = row.label + marker(row)
    if not row.ran:
        return Line(row, (label, row.note), row.note)
    cell = table.cell(row)
    cells = [label, summary(cell.summary, table.metric), str(cell.summary.n if cell.summary else 0)]
    if table.base is not None:
        cells.append(difference(cell.difference, table.metric))
    if table.claims:
        cells += [published(cell.published), cell.verdict.text]
    cells += [summary(row.cells[metric.name].summary, metric) for metric in table.metrics[1:]]
    return Line(row, (*cells, parameters(row.cost), milliseconds(row.cost.step), megabytes(row.cost.memory)))


def marker(row: Row) -> str:
    """A sign after the label of a row with something to say below the table."""
    return " *" if row.marks else ""


def summary(found: Summary | None, metric: Metric) -> str:
    """`91.4 ± 0.3`; without a spread where one seed ran."""
    if found is None:
        return "–"
    mean = metric.text(found.mean)
    return mean if isnan(found.sd) else f"{mean} ± {metric.text(found.sd)}"


def difference(found: Difference | None, metric: Metric) -> str:
    """`+0.4 [−0.1, +0.9]`; without brackets where no interval exists."""
    if found is None:
        return "–"
    mean = metric.text(found.mean, signed=True)
    if isnan(found.low):
        return mean
    return f"{mean} [{metric.text(found.low, signed=True)}, {metric.text(found.high, signed=True)}]"


def published(found: Published | None) -> str:
    """The paper's number with its source; nothing where there is none."""
    if found is None:
        return ""
    return f"{'not reported' if found.value is None else f'{found.value:g}'} ({found.source})"


def parameters(cost: Cost) -> str:
    """`12,345`, and `+ 678` that are trained and dropped."""
    if cost.parameters is None:
        return "–"
    return f"{cost.parameters:,}" + (f" + {cost.classifiers:,}" if cost.classifiers else "")


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.2f}"


def megabytes(size: float | None) -> str:
    return "–" if size is None else f"{size / 1e6:,.0f}"
