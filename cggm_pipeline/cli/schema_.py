"""`cggm schema`: the JSON Schema of the documents, for editors that complete and check while one types."""

from __future__ import annotations

import os

import click

from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.schema import text
from cggm_pipeline.whole import write_whole


@click.command("schema")
@click.option("--write", is_flag=True, help="Write it to specs/schema.json.")
@click.option("--check", is_flag=True, help="Exit with 1 where specs/schema.json is not up to date.")
def command(write: bool, check: bool) -> None:
    """Print the JSON Schema of all documents.

    Specs name it in their first line: # yaml-language-server: $schema=../schema.json
    """
    if write and check:
        raise click.UsageError("--write and --check exclude each other")
    if not write and not check:
        click.echo(text(), nl=False)
        return
    path = Project.of().specs / "schema.json"
    shown = os.path.relpath(path)
    fresh = path.is_file() and path.read_text(encoding="utf-8") == text()
    if check and not fresh:
        raise CggmError(f"{shown} is not what this version writes; run: cggm schema --write")
    if not fresh:
        write_whole(path, text())
    click.echo(f"{shown} {'written' if not fresh else 'is up to date'}")
