"""`cggm twin`: made-up raw files in a publisher's layout, to try a pipeline before the data arrive."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("twin")
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--raw-only", is_flag=True, help="Write no documents, only the raw files.")
@click.option("--seed", type=click.IntRange(min=0, max=2**31 - 1), default=0, show_default=True, help="Of the files.")
def command(name: str, folder: Path, raw_only: bool, seed: int) -> None:
    """Write a twin of table (or dataset) NAME: made-up raw files below DIR, exactly as the publisher lays them out.

    Beside them documents NAME-twin that change the real ones as little as it takes: the path, the sizes, eight
    epochs, two seeds. Whatever is computed from a twin says so.
    """
    from cggm_pipeline.build import twin
    from cggm_pipeline.spec import Project

    project = Project.of(Path.cwd())
    found = twin.original(name, project)
    place = twin.place(folder, project)
    files = {} if raw_only else twin.documents(found, place)
    twin.check_documents(files, project)
    twin.write_raw(found.kind, project.root / place, seed)
    click.echo(f"{place}: made-up raw files in the layout of {found.kind}, marked by {place}/TWIN.txt")
    twin.write_documents(files, project)
    for path in files:
        click.echo(f"wrote {path}")
    if files:
        run = f"dvc repro pipelines/{name}-twin/dvc.yaml" if found.table else f"cggm prepare {name}-twin"
        click.echo(f"Next:\n  cggm compile\n  {run}")
