"""The table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cggm_pipeline.report.missing import Grid
from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import Column, columns, legend, others, sources


def markdown(table: Table, protocol: Protocol, extra: Sequence[Grid] = ()) -> str:
    """What the table claims, its notes and its protocol, then the other metrics and the `extra` grids."""
    notes = [f"- \\* {escape(row.label)}: {escape(text)}" for row in table.rows for text in row.marks]
    notes += [f"- {escape(text)}" for text in sources(table)]
    banners = [f"> **{escape(banner)}**" for banner in table.banners]
    parts = [
        f"# {escape(table.title)}",
        *banners,
        _grid(table, columns(table)),
        "\n".join(notes),
        escape(legend(table)),
        escape(protocol.line),
    ]
    if others(table):
        parts += ["## Other metrics", _grid(table, others(table))]
    for grid in extra:
        parts += [f"## {escape(grid.title)}", _plain(grid), escape(grid.caption)]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Text that Markdown prints as it is."""
    for character in "\\`*_[]<>|#~":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _grid(table: Table, shown: list[Column]) -> str:
    head = _line(["method", *(column.name for column in shown)])
    rule = "|" + "|".join([":---", *["---:"] * len(shown)]) + "|"
    return "\n".join([head, rule, *(_line(_cells(row, shown)) for row in table.rows)])


def _plain(grid: Grid) -> str:
    rule = "|" + "|".join([":---", *["---:"] * len(grid.head)]) + "|"
    return "\n".join([_line(["method", *grid.head]), rule, *(_line([label, *texts]) for label, texts in grid.rows)])


def _cells(row: Row, shown: list[Column]) -> list[str]:
    if not row.ran:
        return [row.label, row.note, *[""] * (len(shown) - 1)]
    label = f"{row.label} *" if row.marks else row.label
    return [label, *(column.entry(row).text for column in shown)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"
