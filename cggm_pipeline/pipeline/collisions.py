"""Tables that would share a folder below runs/: the name of one is that of another, or of another's row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cggm_pipeline.errors import Problem

if TYPE_CHECKING:
    from cggm_pipeline.pipeline.documents import Table


def colliding(tables: Sequence[Table]) -> Iterator[Problem]:
    """Tables whose runs would lie in the folder of another table or row: `a/b` beside the row b of `a`."""
    taken: dict[str, Table] = {}
    for table in tables:
        if table.name in taken:
            yield _collision(table, f"the name '{table.name}' is that of {taken[table.name].source} as well")
        taken.setdefault(table.name, table)
    rows = {f"{table.name}/{row.slug}": (table, row) for table in tables for row in table.rows}
    for table in tables:
        parts = table.name.split("/")
        for folder in ("/".join(parts[:end]) for end in range(1, len(parts) + 1)):
            if folder in rows:
                other, row = rows[folder]
                message = f"runs/{folder}/ is the folder of the row '{row.label}' of {other.source}"
                yield _collision(table, message)


def _collision(table: Table, message: str) -> Problem:
    return Problem(table.source, 0, 0, "", message, hint="rename the file")
