"""`cggm prepare`: raw data, or features of them, to the prepared form, without DVC."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("prepare")
@click.argument("name")
@click.option("--check", is_flag=True, help="Only hash the raw files again, and name those that changed.")
def command(name: str, check: bool) -> None:
    """Read the raw data of dataset NAME (specs/datasets/NAME.yaml) and write data/prepared/NAME.

    The split is drawn once, written to specs/splits/NAME.csv and read from there ever after: commit that file. A
    dataset of features is computed from the dataset that it names, which has to be prepared before.
    """
    from cggm_pipeline.build.tables import STAGES, implementation
    from cggm_pipeline.errors import DataError
    from cggm_pipeline.pipeline.raw import missing_raw
    from cggm_pipeline.spec import Project, load_dataset

    project = Project.of(Path.cwd())
    composed = load_dataset(name, project)
    missing = missing_raw(composed, project)
    if missing:
        raise DataError("\n".join(map(str, missing)))
    module = STAGES[composed.spec.source.stage]
    if not check:
        prepare = implementation(f"{module}:prepare")
        click.echo(project.file(prepare(composed.spec, composed.name, project.root)))
        return
    changed = implementation(f"{module}:check_raw")(composed.spec, composed.name, project.root)
    for line in changed:
        click.echo(line)
    if changed:
        files = "raw file is not the one" if len(changed) == 1 else "raw files are not those"
        click.echo(f"{len(changed)} {files} that data/prepared/{name} was made from", err=True)
        sys.exit(1)
    click.echo(f"{composed.name}: the raw files are those that the prepared data were made from")
