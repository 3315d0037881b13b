"""The table on a terminal, as short as it can be said."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import DAGGER, cited, legend, marked, summary

STYLES = {True: "green", False: "red"}


def show(table: Table, protocol: Protocol, console: Console | None = None) -> None:
    """Print label, mean ± sd, paired difference and remarks of every row, and the protocol line. Lines never wrap."""
    console = console or Console()
    spread = f"mean ± sd over {len(table.seeds)} seeds" if table.seeds else "mean ± sd"
    paired = f" · paired difference to {table.base.label} [95 %]" if table.base is not None else ""
    head = f"{table.title} · test {table.metric.heading.lower()}, {spread}{paired}"
    cells = [_cells(table, row) for row in table.rows]
    widths = [max((len(line[place]) for line in cells), default=0) for place in range(3)]
    console.print()
    for banner in table.banners:
        _print(console, Text(f"  {banner}", style="bold yellow"))
    _print(console, Text(f"  {head}", style="bold"))
    for row, (label, number, gap, remark) in zip(table.rows, cells, strict=True):
        line = Text(f"    {label:<{widths[0]}}  {number:>{widths[1]}}   ")
        line.append(f"{gap:<{widths[2]}}", style=_style(table, row))
        line.append(f"   {remark}".rstrip(), style="red" if row.failed else "dim")
        line.rstrip()
        _print(console, line)
    for line in _claimed(table):
        _print(console, line)
    if any(line[2].endswith(DAGGER) for line in cells):
        _print(console, Text(f"  {legend(table)}", style="dim"))
    _print(console, Text(f"  {protocol.line}", style="dim"))


def _claimed(table: Table) -> list[Text]:
    """Below the table: the other metrics that papers have numbers of, theirs and ours, row by row."""
    lines = []
    for metric in (metric for metric in table.metrics[1:] if table.claims(metric)):
        lines.append(Text(f"  {metric.heading}", style="bold"))
        rows = [row for row in table.rows if row.cells[metric.name].published is not None]
        ours = {row.slug: summary(row.cells[metric.name].summary, metric) for row in rows}
        widths = max(len(row.label) for row in rows), max(map(len, ours.values()))
        for row in rows:
            cell = row.cells[metric.name]
            said = " · ".join(part for part in (f"published {cited(cell.published)}", cell.verdict.text) if part)
            lines.append(Text(f"    {row.label:<{widths[0]}}  {ours[row.slug]:>{widths[1]}}   {said}"))
    return lines


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True, highlight=False)


def _style(table: Table, row: Row) -> str:
    """Green or red where the interval excludes 0."""
    found = table.cell(row).difference
    if found is None or not found.decided:
        return ""
    return STYLES[(found.mean > 0) == table.metric.higher_is_better]


def _cells(table: Table, row: Row) -> tuple[str, str, str, str]:
    cell = table.cell(row)
    theirs = "" if cell.published is None else f"published {cited(cell.published)}"
    remarks = (row.note, *row.remarks, theirs, cell.verdict.text, "differs from its spec" if row.edited else "")
    number = "–" if cell.summary is None else summary(cell.summary, table.metric)
    paired = "" if cell.difference is None else marked(cell.difference, table.metric)
    return row.label, number, paired, " · ".join(part for part in remarks if part)
