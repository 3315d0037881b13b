"""`cggm train`: one experiment, all its seeds, without DVC."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import click


@click.command("train")
@click.argument("spec", type=click.Path())
@click.option("--seeds", metavar="0,1,2", help="These seeds instead of the spec's.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Default: runs/local/NAME.")
@click.option("--device", metavar="cpu|cuda", help="Default: a GPU if there is one.")
@click.option("--fresh", is_flag=True, help="Train anew, even what is finished or under way.")
def command(spec: str, seeds: str | None, out: Path | None, device: str | None, fresh: bool) -> None:
    """Train the experiment SPEC (a file, or a name below specs/experiments) and print its scores.

    Seeds that are finished are kept, and a training that was stopped goes on where it was, as long as spec, data and
    code are the same. The data must be prepared: `cggm prepare NAME`.
    """
    from cggm_pipeline.build.train import forget, train
    from cggm_pipeline.pipeline.key import run_key
    from cggm_pipeline.spec import Project, load_dataset, load_experiment

    project = Project.of(spec if Path(spec).is_file() else Path.cwd())
    composed = load_experiment(spec, project)
    chosen = _seeds(seeds) or composed.spec.seeds
    folder = (out or project.root / "runs" / "local" / composed.name).resolve()
    key = run_key(composed.spec, project.root)
    if fresh:
        forget(key, chosen, project=project.root)
    dataset = load_dataset(composed.spec.data, project).spec
    summaries = train(
        composed.spec, folder, key=key, project=project.root, seeds=chosen, dataset=dataset, device=device
    )
    for stage in composed.spec.adaptation.stages if summaries else ():  # none: another process writes
        from cggm_pipeline.build.adapt import adapt

        adapt(composed.spec, folder, project.root, stage, seeds=chosen, device=device)
    _report(folder, project.root, summaries, device)


def _seeds(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) < 2**31 for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of whole numbers like 0,1,2", param_hint="--seeds")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _report(folder: Path, root: Path, summaries: dict[int, dict[str, Any]], device: str | None) -> None:
    """One line per seed, and the mean; the metric is the one that selected the epoch."""
    from rich.console import Console
    from rich.table import Table

    from cggm_pipeline.build.score import score
    from cggm_pipeline.report.costs import size_of
    from cggm_pipeline.report.material import read_facts
    from cggm_pipeline.report.texts import parameters

    table = Table(box=None, pad_edge=False, header_style="bold")
    finished = {seed: found for seed, found in summaries.items() if found["status"] == "finished"}
    metric = next((found["selection"]["metric"] for found in finished.values()), "")
    for column in ("seed", "epochs", "selected", f"valid {metric}", f"test {metric}"):
        table.add_column(column, justify="right")
    scores = list(score(folder, root, device=device)) if finished else []
    for found in scores:
        summary = finished[found.seed]
        numbers = f"{found.valid[metric]:.4f}", f"{found.test[metric]:.4f}"
        table.add_row(str(found.seed), str(summary["epochs"]), str(summary["selected_epoch"]), *numbers)
    if len(scores) > 1:
        means = (_mean([getattr(found, split)[metric] for found in scores]) for split in ("valid", "test"))
        table.add_row("mean", "", "", *means)
    console = Console(highlight=False)
    if banner := read_facts(folder / "train", "").banner:
        console.print(banner, style="bold yellow", markup=False, soft_wrap=True)
    if scores:
        console.print(table)
    for size in [size_of(found) for found in finished.values()][:1]:
        if size.share is not None:
            console.print(f"parameters {parameters(size)}", soft_wrap=True)
    for seed in summaries.keys() - finished.keys():
        console.print(f"seed {seed} failed: {folder / 'train' / f'seed-{seed}' / 'failed.json'}", soft_wrap=True)
    console.print(f"selected on the validation split; test used once; in {folder}", soft_wrap=True)


def _mean(values: list[float]) -> str:
    return f"{statistics.fmean(values):.4f} ± {statistics.stdev(values):.4f}"
