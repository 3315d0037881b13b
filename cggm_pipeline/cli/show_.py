"""`cggm show`: a spec as the stages see it, every default written out; with --origin, which file set each key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cggm_pipeline.errors import CggmError, SpecError
from cggm_pipeline.spec import Project, load_dataset, load_experiment, load_table
from cggm_pipeline.spec.layers import Stack
from cggm_pipeline.spec.load import Keys, parse
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.resolved import dump_data
from cggm_pipeline.spec.rows import ComposedTable
from cggm_pipeline.spec.text import short

ROOMS = ("experiments", "tables", "datasets")


@click.command("show")
@click.argument("spec")
@click.option("--row", help="Of a table: one of its rows, by label or by the name of its files.")
@click.option("--origin", is_flag=True, help="Beside each line: the file and line that set it, or `default`.")
def command(spec: str, row: str | None, origin: bool) -> None:
    """Print a composed spec. SPEC is a file, or a name below specs/experiments, specs/tables or specs/datasets."""
    data, stack = _composed(spec, row)
    text = dump_data(data)
    click.echo(_with_origin(text, data, stack) if origin else text, nl=False)


def _composed(spec: str, row: str | None) -> tuple[dict[str, Any], Stack]:
    project = Project.of(spec if Path(spec).exists() else ".")
    path = _path(spec, project, "tables" if row else "experiments")
    document = project.document(path).data
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind == "table":
        table = load_table(path, project)
        chosen = _row(table, row) if row else table
        return chosen.data, chosen.stack
    if row:
        raise CggmError(f"error: {spec} is not a table: it has no rows")
    composed = load_dataset(path, project) if kind == "dataset" else load_experiment(path, project)
    return composed.data, composed.stack


def _path(spec: str, project: Project, first: str) -> Path:
    rooms = (first, *(room for room in ROOMS if room != first))
    for room in rooms:
        try:
            return project.find(room, spec)
        except SpecError:
            continue
    hint, allowed = did_you_mean(spec, dict.fromkeys(name for room in rooms for name in project.names(room)))
    raise CggmError(f"error: there is no spec '{short(spec)}'{'; ' + hint if hint else ''}\n  (allowed: {allowed})")


def _row(table: ComposedTable, name: str) -> Any:
    for slug, row in table.rows.items():
        if name in (slug, row.label):
            return row.experiment
    hint, allowed = did_you_mean(name, table.rows)
    raise CggmError(
        f"error: the table {table.name} has no row '{short(name)}'{'; ' + hint if hint else ''}\n  (allowed: {allowed})"
    )


def _with_origin(text: str, data: dict[str, Any], stack: Stack) -> str:
    """The text with the origin of each line as a comment; lines of one origin stand under one another."""
    document = parse(text, Path("shown"), "shown")
    lines = text.splitlines()
    origins = {document.mark(keys)[0]: _origin(keys, stack) for keys in _leaves(data, ())}
    width = max((len(lines[number - 1]) for number in origins), default=0)
    return "".join(
        f"{line:<{min(width, 60)}}  # {origins[number]}\n" if number in origins else f"{line}\n"
        for number, line in enumerate(lines, 1)
    )


def _origin(keys: Keys, stack: Stack) -> str:
    data = stack.data
    for key in keys:
        if not (isinstance(data, dict) and key in data):
            return "default"
        data = data[key]
    place = stack.place(keys)
    return f"{place.file}:{place.line}"


def _leaves(data: Any, path: Keys) -> Iterator[Keys]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path
