"""`cggm predict`: a trained run on new data."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A .csv or .parquet file; for masks .npz.",
)
@click.option("--split", type=click.Choice(["train", "valid", "test"]), default="test", show_default=True)
@click.option("--device", metavar="cpu|cuda", help="Default: a GPU if there is one.")
def command(run: Path, data: Path, out: Path, split: str, device: str | None) -> None:
    """Write the predictions of RUN for DATA.

    RUN is a row's folder (runs/TABLE/ROW; the mean over its seeds) or one seed's (.../train/seed-0). DATA is a prepared
    folder, of which --split is taken, or a CSV with the columns of the table source that the run was trained on. The
    probabilities are calibrated on the validation split. Masks are written as `masks` (N, H, W) with `ids` and
    `groups`.
    """
    from cggm_pipeline.build.predict import predict

    samples, seeds = predict(run, data, out, split=split, device=device)
    whose = f"one seed, {seeds[0]}" if len(seeds) == 1 else f"mean of {len(seeds)} seeds in {seeds[0].parent}"
    click.echo(f"{samples:,} predictions, {whose}, written to {out}")
