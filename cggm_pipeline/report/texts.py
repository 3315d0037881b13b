"""The words in a cell: one place for all printed forms of the table, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan

from cggm_pipeline.report.costs import Cost
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import ALPHA, Difference, Summary
from cggm_pipeline.report.table import Reference, Row, Table
from cggm_pipeline.report.verdict import Published, Verdict


@dataclass(frozen=True)
class Entry:
    """One printed cell. `mark`: what the number is worth, for colour: main, better, worse, or a verdict's state."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """One printed column: its name, and what it says of a row that has numbers."""

    name: str
    entry: Callable[[Row], Entry]


def columns(table: Table) -> list[Column]:
    """What the table claims: the metric that heads it, differences, published numbers and verdicts, cost."""
    metric = table.metric
    found = [
        Column(metric.heading, lambda row: Entry(summary(table.cell(row).summary, metric), "main")),
        Column("n", lambda row: Entry(seeds(table.cell(row).summary))),
        *(_difference(table, reference) for reference in table.references),
    ]
    if table.claims(metric):
        found += [
            Column("published", lambda row: Entry(cited(table.cell(row).published))),
            Column("verdict", lambda row: _verdict(table.cell(row).verdict)),
        ]
    return [
        *found,
        Column("parameters", lambda row: Entry(parameters(row.cost))),
        Column("ms / step", lambda row: Entry(milliseconds(row.cost.step))),
        Column("memory [MB]", lambda row: Entry(megabytes(row.cost.memory))),
    ]


@dataclass(frozen=True)
class Band:
    """Columns below one heading: a metric and, where a paper is cited for it, the published number and the verdict."""

    name: str
    columns: tuple[Column, ...]


WIDEST = 6
"""Columns of numbers beside the methods' names that a page of paper has room for."""


def pages(table: Table) -> list[list[Band]]:
    """The metrics beside the one that heads the table, cut into pieces that fit on paper; see `sources` for notes."""
    found: list[list[Band]] = []
    for band in (_band(table, metric) for metric in table.metrics[1:]):
        if not found or sum(len(one.columns) for one in (*found[-1], band)) > WIDEST:
            found.append([])
        found[-1].append(band)
    return found


def _band(table: Table, metric: Metric) -> Band:
    name, ours = metric.name, _metric(metric).entry
    if not table.claims(metric):
        return Band(metric.heading, (Column("ours", ours),))
    theirs = Column("published", lambda row: Entry(cited(row.cells[name].published)))
    return Band(
        metric.heading,
        (Column("ours", ours), theirs, Column("verdict", lambda row: _verdict(row.cells[name].verdict))),
    )


def sources(table: Table) -> list[str]:
    """Where the published numbers come from, a sentence for each row that cites any."""
    found = []
    for row in table.rows:
        cited = (row.cells[metric.name].published for metric in table.metrics)
        names = dict.fromkeys(one.source for one in cited if one is not None)
        if names:
            found.append(f"{row.label}: published in {'; '.join(names)}")
    return found


def others(table: Table) -> list[Column]:
    """The metrics beside the one that heads the table; published numbers and verdicts beside those that have any."""
    return [column for metric in table.metrics[1:] for column in (_metric(metric), *_claimed(table, metric))]


def _claimed(table: Table, metric: Metric) -> list[Column]:
    if not table.claims(metric):
        return []
    name = metric.name
    return [
        Column(f"{metric.title}: published", lambda row: Entry(cited(row.cells[name].published))),
        Column(f"{metric.title}: verdict", lambda row: _verdict(row.cells[name].verdict)),
    ]


def _verdict(found: Verdict) -> Entry:
    return Entry(found.text, found.state)


def _metric(metric: Metric) -> Column:
    return Column(metric.heading, lambda row: Entry(summary(row.cells[metric.name].summary, metric)))


DAGGER = "\u2020"


def legend(table: Table) -> str:
    """What the dagger beside a difference says; empty where no difference has a p value."""
    found = [one for reference in table.references for one in reference.differences.values() if not isnan(one.holm)]
    if not found:
        return ""
    most = max(sum(not isnan(one.holm) for one in reference.differences.values()) for reference in table.references)
    return f"{DAGGER} p < {ALPHA} after Holm's correction over the {most} rows that are compared with the same row"


def marked(found: Difference | None, metric: Metric) -> str:
    """The difference, with a dagger where it survives Holm's correction."""
    return difference(found, metric) + (f" {DAGGER}" if found is not None and found.survives else "")


def _difference(table: Table, reference: Reference) -> Column:
    def entry(row: Row) -> Entry:
        found = reference.differences.get(row.slug)
        mark = ""
        if found is not None and found.decided:
            mark = "better" if (found.mean > 0) == table.metric.higher_is_better else "worse"
        return Entry(marked(found, table.metric), mark)

    return Column(f"difference to {reference.label} [95\u00a0%]", entry)


def summary(found: Summary | None, metric: Metric) -> str:
    """`91.4 ± 0.3`; without a spread where one seed ran."""
    if found is None:
        return "–"
    mean = metric.text(found.mean)
    return mean if isnan(found.sd) else f"{mean} ± {metric.text(found.sd)}"


def seeds(found: Summary | None) -> str:
    """The number of seeds."""
    return "0" if found is None else str(found.n)


def difference(found: Difference | None, metric: Metric) -> str:
    """`+0.4 [−0.1, +0.9]`; without brackets where no interval exists."""
    if found is None:
        return "–"
    mean = metric.text(found.mean, signed=True)
    if isnan(found.low):
        return mean
    return f"{mean} [{metric.text(found.low, signed=True)}, {metric.text(found.high, signed=True)}]"


def cited(found: Published | None) -> str:
    """The paper's number as printed there; its source stands below the table (`sources`)."""
    if found is None:
        return ""
    return "not reported" if found.value is None else f"{found.value:g}"


def parameters(cost: Cost) -> str:
    """`12,345, 3.2 % trained` where not all of them are, and `+ 678` that are trained and dropped."""
    if cost.parameters is None:
        return "–"
    trained = "" if cost.share is None else f", {percent(cost.share)} trained"
    return f"{cost.parameters:,}" + trained + (f" + {cost.classifiers:,}" if cost.classifiers else "")


def percent(share: float) -> str:
    """Of a share below 1: one decimal, two digits where it is below one percent, never 100."""
    return f"{min(100 * share, 99.9):.1f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def milliseconds(seconds: float | None) -> str:
    """Two decimals; a dash where it was not measured."""
    return "–" if seconds is None else f"{1000 * seconds:.2f}"


def megabytes(size: float | None) -> str:
    """Whole megabytes; a dash where it was not measured."""
    return "–" if size is None else f"{size / 1e6:,.0f}"
