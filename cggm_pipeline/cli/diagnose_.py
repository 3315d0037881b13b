"""`cggm diagnose`: what a run's history warns of."""

from __future__ import annotations

from pathlib import Path

import click

from cggm_pipeline.errors import CggmError


@click.command("diagnose")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(runs: tuple[Path, ...]) -> None:
    """Say what the history of each RUN warns of, and what to try.

    RUN is a row's folder, runs/TABLE/ROW, or a table's, runs/TABLE, for all of its rows. Told are: a coefficient that
    is negative, zero or very large for long; a network that is worse than itself with one modality alone; a modality
    that has stopped improving while the network has not. The last two need `training: {modality_scores: true}`.
    """
    from cggm_pipeline.report.runs import read_row
    from cggm_pipeline.report.warnings import of_row

    folders = [folder for run in runs for folder in _rows(run)]
    for folder in folders:
        row = read_row(folder)
        found = of_row(str(folder), row)
        scored = any(column.startswith("alone_") for seed in row.seeds.values() for column in seed.history)
        click.echo(f"{folder}: {len(row.seeds)} seed{'s' * (len(row.seeds) != 1)}, {_count(len(found))}")
        for one in found:
            click.echo(f"  {one.where}, since epoch {one.warned.epoch}: {one.warned.text}\n    try {one.warned.advice}")
        if not scored:
            click.echo("  modalities alone were not scored: set training.modality_scores: true to have them watched")


def _count(number: int) -> str:
    return "no warning" if not number else f"{number} warning{'s' * (number > 1)}"


def _rows(run: Path) -> list[Path]:
    """The rows that a path means: itself, or those of a table."""
    if (run / "train").is_dir():
        return [run]
    rows = sorted(train.parent for train in run.glob("*/train") if train.is_dir())
    if rows:
        return rows
    from cggm_pipeline.spec.nearest import did_you_mean

    known = sorted(str(train.parent) for train in Path("runs").glob("**/train") if train.is_dir())
    hint, allowed = did_you_mean(str(run), known)
    raise CggmError(f"error: there is no run '{run}'{'; ' + hint if hint else ''}\n  (runs: {allowed or 'none here'})")
