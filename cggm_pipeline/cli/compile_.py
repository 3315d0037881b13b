"""`cggm compile`: resolved specs and dvc.yaml files, written or checked."""

from __future__ import annotations

import sys

import click


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a generated file is not what the specs say.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
def command(check: bool, force: bool) -> None:
    """Write specs/resolved/ (every default written out) and every dvc.yaml."""
    from cggm_pipeline.pipeline.generate import generate
    from cggm_pipeline.pipeline.raw import all_missing, note
    from cggm_pipeline.pipeline.workspace import differences, write
    from cggm_pipeline.spec import Project

    project = Project.of()
    files = generate(project)
    if check:
        found = differences(project.root, files)
        for difference in found:
            click.echo(str(difference), err=True)
        if found:
            sys.exit(1)
        click.echo(f"{len(files)} generated files are fresh")
        return
    found = write(project.root, files, force=force)
    for difference in found:
        click.echo(f"{'removed' if difference.what == 'left over' else 'wrote'} {difference.path}")
    click.echo(f"{len(files)} generated files, {len(found)} changed")
    for problem in all_missing(project):
        click.echo(note(problem), err=True)
