"""`cggm plan`: what would run, why, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.text import short

if TYPE_CHECKING:
    from cggm_pipeline.pipeline.plan import Planned
    from cggm_pipeline.pipeline.records import Pipeline


@click.command("plan")
@click.argument("table", required=False)
def command(table: str | None) -> None:
    """Say which stages `dvc repro` would run, why, and how long they took last time. Runs nothing.

    TABLE: those of pipelines/TABLE/dvc.yaml alone.
    """
    from cggm_pipeline.pipeline.code import Code
    from cggm_pipeline.pipeline.documents import read_documents
    from cggm_pipeline.pipeline.generate import generate
    from cggm_pipeline.pipeline.pipelines import pipelines
    from cggm_pipeline.pipeline.plan import dvc_status, plan
    from cggm_pipeline.pipeline.raw import all_missing, note
    from cggm_pipeline.pipeline.workspace import differences
    from cggm_pipeline.spec import Project

    project = Project.of()
    stale = [str(difference) for difference in differences(project.root, generate(project))]
    if stale:
        click.echo("\n".join(stale) + "\nthe plan below is for the files as they are now\n", err=True)
    made = _of(table, pipelines(read_documents(project), Code.of(project.root)))
    read = {f"{path} does not exist" for pipeline in made for stage in pipeline.stages for path in stage.deps}
    for problem in all_missing(project):
        if problem.message in read:
            click.echo(note(problem), err=True)
    planned = plan(project.root, made, dvc_status(project.root))
    wide = max((len(item.address) for item in planned), default=0)
    for item in planned:
        click.echo(_line(item, wide))
    click.echo(_total(planned))


def _of(table: str | None, made: tuple[Pipeline, ...]) -> tuple[Pipeline, ...]:
    """The pipeline of one table; all of them where none is named."""
    if table is None:
        return made
    chosen = tuple(pipeline for pipeline in made if pipeline.folder == f"pipelines/{table}")
    if not chosen:
        names = [pipeline.folder.removeprefix("pipelines/") for pipeline in made if pipeline.folder]
        hint, allowed = did_you_mean(table, dict.fromkeys(names))
        told = f"; {hint}" if hint else ""
        raise CggmError(f"error: there is no pipelines/{short(table)}/dvc.yaml{told}\n  (allowed: {allowed})")
    return chosen


def _line(item: Planned, wide: int) -> str:
    from cggm_pipeline.pipeline.plan import SHOWN

    verb = "run" if item.certain else "maybe"
    more = f"  (and {len(item.reasons) - SHOWN} more)" if len(item.reasons) > SHOWN else ""
    return f"{verb:6}{item.address:<{wide}} {_time(item.seconds):>8}  {'; '.join(item.reasons[:SHOWN])}{more}"


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _total(planned: list[Planned]) -> str:
    if not planned:
        return "nothing would run"
    known = [item.seconds for item in planned if item.seconds is not None]
    unknown = len(planned) - len(known)
    return f"{len(planned)} stages, {_time(sum(known)) if known else '?'}" + (
        f" and {unknown} unknown" if unknown else ""
    )
