"""`cggm plan`: what would run, why, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cggm_pipeline.pipeline.plan import Planned


@click.command("plan")
def command() -> None:
    """Say which stages `dvc repro` would run, why, and how long they took last time. Runs nothing."""
    from cggm_pipeline.pipeline.code import Code
    from cggm_pipeline.pipeline.documents import read_documents
    from cggm_pipeline.pipeline.generate import generate
    from cggm_pipeline.pipeline.pipelines import pipelines
    from cggm_pipeline.pipeline.plan import dvc_status, plan
    from cggm_pipeline.pipeline.raw import all_missing
    from cggm_pipeline.pipeline.workspace import differences
    from cggm_pipeline.spec import Project

    project = Project.of()
    stale = [str(difference) for difference in differences(project.root, generate(project))]
    if stale:
        click.echo("\n".join(stale) + "\nthe plan below is for the files as they are now\n", err=True)
    for problem in all_missing(project):
        click.echo(f"{problem}\n", err=True)
    made = pipelines(read_documents(project), Code.of(project.root))
    planned = plan(project.root, made, dvc_status(project.root))
    for item in planned:
        click.echo(_line(item))
    click.echo(_total(planned))


def _line(item: Planned) -> str:
    from cggm_pipeline.pipeline.plan import SHOWN

    verb = "run" if item.certain else "maybe"
    more = f"  (and {len(item.reasons) - SHOWN} more)" if len(item.reasons) > SHOWN else ""
    return f"{verb:6}{item.address:44} {_time(item.seconds):>8}  {'; '.join(item.reasons[:SHOWN])}{more}"


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
