"""The table as Markdown."""

from __future__ import annotations

from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Table
from cggm_pipeline.report.texts import Line, header, lines


def markdown(table: Table, protocol: Protocol) -> str:
    """A Markdown table under its title, with notes and the protocol line below."""
    head = header(table)
    body = [_row(_cells(line, len(head))) for line in lines(table)]
    rule = "|" + "|".join([":---", *["---:"] * (len(head) - 1)]) + "|"
    notes = [f"- {escape(row.label)}: {escape(text)}" for row in table.rows for text in row.marks]
    parts = [f"# {escape(table.title)}", "\n".join([_row([escape(cell) for cell in head]), rule, *body])]
    parts += ["\n".join(notes)] if notes else []
    return "\n\n".join([*parts, escape(protocol.line)]) + "\n"


def escape(text: str) -> str:
    """Text that Markdown prints as it is."""
    for character in "\\`*_[]<>|#~":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _cells(line: Line, width: int) -> list[str]:
    cells = [escape(cell) for cell in line.cells]
    return cells + [""] * (width - len(cells))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
