"""`cggm tune`: the values that a table's rows try, trained side by side; the best on the validation split are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cggm_pipeline.errors import CggmError

if TYPE_CHECKING:
    from cggm_pipeline.spec import ComposedTable
    from cggm_pipeline.spec.tuned import Tuned


@click.command("tune")
@click.argument("table")
@click.option(
    "--rows", "chosen", metavar="ROW", multiple=True, help="Only this row, by label or name; may be repeated."
)
@click.option("--device", metavar="cpu|cuda", help="Default: a GPU if there is one.")
def command(table: str, chosen: tuple[str, ...], device: str | None) -> None:
    """Train every combination that the rows of TABLE try (their `tune`), with the table's tuning seed.

    The best on the validation split are written to specs/tuned/TABLE.yaml, which the table reads; the test split is not
    looked at. Trials that are finished are kept, and a tuning that was stopped goes on, as long as spec, data and code
    are the same. The data must be prepared.
    """
    from cggm_pipeline.build.tune import tune
    from cggm_pipeline.pipeline.code import Code
    from cggm_pipeline.pipeline.key import run_key
    from cggm_pipeline.spec import Project, load_table

    project = Project.of()
    found = load_table(table, project, tuned=False)
    if found.spec.tuning is None:
        hint = "add tuning: {budget: 4, seed: 1000} and a tune: to every row"
        raise CggmError(f"error: the table {found.name} has no tuning\n  {hint}")
    rows, code = _slugs(found, chosen), Code.of(project.root)
    made = tune(
        found, project, key=lambda experiment: run_key(experiment, project.root, code), rows=rows, device=device
    )
    _print(found, made, rows)
    written = project.file(project.specs / "tuned" / f"{found.name}.yaml")
    missing = [row.label for row in found.rows.values() if row.label not in made.rows]
    if missing:
        click.echo(f"not tuned yet, so the table is not valid: {', '.join(missing)}", err=True)
    click.echo(f"wrote {written}; next: cggm compile")


def _slugs(table: ComposedTable, chosen: tuple[str, ...]) -> list[str]:
    """The rows that are named, by label or slug, in the table's order; all of them where none is."""
    from cggm_pipeline.spec.nearest import did_you_mean
    from cggm_pipeline.spec.text import short

    labels = {row.label: slug for slug, row in table.rows.items()}
    for name in chosen:
        if name not in labels and name not in table.rows:
            hint, allowed = did_you_mean(name, table.rows)
            told = f"; {hint}" if hint else ""
            message = f"error: the table {table.name} has no row '{short(name)}'{told}"
            raise CggmError(f"{message}\n  (allowed: {allowed})")
    wanted = {labels.get(name, name) for name in chosen}
    return [slug for slug in table.rows if slug in wanted or not chosen]


def _print(table: ComposedTable, made: Tuned, rows: list[str]) -> None:
    """A line for each row: its score, and the values that were chosen."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cggm_pipeline.spec.labels import value_label

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("row", "valid", "failed", "chosen"):
        grid.add_column(column, justify="right" if column in ("valid", "failed") else "left")
    for slug in rows:
        choice = made.rows[table.rows[slug].label]
        scores = [trial.score for trial in choice.trials if trial.score is not None]
        best = f"{(max if choice.mode == 'max' else min)(scores):.4f}" if scores else "–"
        failed = len(choice.trials) - len(scores)
        values = ", ".join(f"{key} {value_label(value)}" for key, value in choice.chosen.items())
        cells = (table.rows[slug].label, best, str(failed) if failed else "", values)
        grid.add_row(*map(Text, cells))
    Console(highlight=False).print(grid)
