"""`cggm init`: a small project of one's own that runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Make a small project in FOLDER: a CSV of real digits, specs, stages, dvc.yaml. It runs as it is."""
    from cggm_pipeline.pipeline.start import start

    start(folder)
    shown = click.format_filename(str(folder))
    click.echo(f"{shown} is ready. Next:\n  cd {shown}\n  cggm validate\n  dvc repro\n  open runs/methods/report.html")
