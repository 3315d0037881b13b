"""Which run starts from which: each must be there, and no chain of them may lead back to where it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cggm_pipeline.errors import Problem

if TYPE_CHECKING:
    from cggm_pipeline.pipeline.documents import Row, Table


def misplaced(tables: Sequence[Table]) -> Iterator[Problem]:
    """Rows that start from a run that nothing makes, or, over others, from themselves."""
    starts = _starts(tables)
    for table in tables:
        for row in table.rows:
            start = starts[f"{table.name}/{row.slug}"]
            if start is not None and start not in starts:
                yield _problem(table, row, f"no run is called '{start}'", "TABLE/ROW of this project")
            elif len(circle := _circle(f"{table.name}/{row.slug}", starts)) > 1:
                yield _problem(table, row, f"a cycle: {' -> '.join(circle)}", "a run that starts from no run of these")


def before(table: Table, tables: Mapping[str, Table]) -> Iterator[Table]:
    """This table and all those whose runs its rows start from, to the end."""
    seen: set[str] = set()
    waiting = [table.name]
    while waiting:
        name = waiting.pop()
        if name in tables and name not in seen:
            seen.add(name)
            yield tables[name]
            waiting += [start.rpartition("/")[0] for row in tables[name].rows if (start := _start(row)) is not None]


def _start(row: Row) -> str | None:
    return None if row.experiment.weights is None else row.experiment.weights.experiment


def _starts(tables: Sequence[Table]) -> dict[str, str | None]:
    return {f"{table.name}/{row.slug}": _start(row) for table in tables for row in table.rows}


def _circle(run: str, starts: Mapping[str, str | None]) -> list[str]:
    """The runs from `run` back to itself; only itself where there is no way."""
    names = [run]
    following = starts.get(run)
    while following is not None and following not in names:
        names.append(following)
        following = starts.get(following)
    return [*names, run] if following == run else [run]


def _problem(table: Table, row: Row, message: str, allowed: str) -> Problem:
    key = f"rows.{row.label}.weights.experiment"
    return Problem(table.source, 0, 0, key, message, allowed)
