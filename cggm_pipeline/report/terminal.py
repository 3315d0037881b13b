"""The table on a terminal, as short as it can be said (docs: the newcomer's first five minutes)."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import difference, summary


def show(table: Table, protocol: Protocol, console: Console | None = None) -> None:
    """Print label, mean ± sd, paired difference and remarks of every row, and the protocol line."""
    console = console or Console()
    number = f", mean ± sd over {len(table.seeds)} seeds" if table.seeds else ", mean ± sd"
    paired = f" · paired difference to {table.base.label} [95 %]" if table.base is not None else ""
    grid = Grid.grid(padding=(0, 2))
    for justify in ("left", "right", "left", "left"):
        grid.add_column(justify=justify, no_wrap=justify == "right")
    for row in table.rows:
        grid.add_row(*(Text(text) for text in _cells(table, row)))
    console.print()
    console.print(Text(f"{table.title} · test {table.metric.heading.lower()}{number}{paired}"), highlight=False)
    console.print(grid, highlight=False)
    console.print(Text(protocol.line), highlight=False)


def _cells(table: Table, row: Row) -> tuple[str, str, str, str]:
    cell = table.cell(row)
    notes = " · ".join((row.note, *row.remarks, cell.verdict.text, *(("edited",) if row.edited else ())))
    remark = " · ".join(part for part in notes.split(" · ") if part)
    if cell.summary is None:
        return "  " + row.label, "–", "", remark
    paired = "" if cell.difference is None else difference(cell.difference, table.metric)
    return "  " + row.label, summary(cell.summary, table.metric), paired, remark
