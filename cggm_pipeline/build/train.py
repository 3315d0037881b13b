"""A row of a table, all its seeds: what `stages/train.py` and `cggm train` call. Torch is imported where it trains."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cggm_pipeline.build.display import Display
from cggm_pipeline.build.documents import dataset_of, prepared_folder
from cggm_pipeline.build.job import Job
from cggm_pipeline.build.seeds import train_seeds, workers_for
from cggm_pipeline.build.statistics import keep_statistics
from cggm_pipeline.data.output import locked, replaced
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.spec import Dataset, Experiment, dump
from cggm_pipeline.spec.adaptation import FOLDERS
from cggm_pipeline.whole import write_whole


def train(
    experiment: Experiment,
    out: Path,
    *,
    key: str,
    project: Path,
    seeds: Sequence[int] | None = None,
    dataset: Dataset | None = None,
    device: str | None = None,
) -> dict[int, dict[str, Any]]:
    """Train every seed of an experiment and write OUT/train and OUT/cost.json, whole or not at all.

    `key`: digest of everything that can change a result (`pipeline.key.run_key`). Under `.cggm/state/<key>` a killed
    training goes on where it was, and seeds that are finished are not trained again. Returns each seed's summary.
    Raises CggmError where the data are missing, where another process writes the same output, and on a full disk.
    """
    seeds = tuple(experiment.seeds if seeds is None else dict.fromkeys(seeds))
    dataset = dataset or dataset_of(experiment, project)
    read_manifest(prepared_folder(experiment.data, project))  # missing data are said before anything is imported
    state = project / ".cggm" / "state" / key
    jobs = [Job(experiment, dataset, seed, project, state / f"seed-{seed}", key, device) for seed in seeds]
    if os.environ.get("RANK", "0") != "0":  # another process of this training writes the output
        train_seeds([job for job in jobs if not job.finished.is_dir()], 1, lambda moment: None)
        return {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out):
        left = [job for job in jobs if not job.finished.is_dir()]
        with Display("/".join(out.parts[-2:]), len(jobs), len(jobs) - len(left)) as display:
            train_seeds(left, workers_for(len(left), experiment.training.threads), display)
        _assemble(jobs, out, experiment, dataset, prepared_folder(experiment.data, project) / "manifest.json", project)
    return {job.seed: json.loads((job.finished / "summary.json").read_text()) for job in jobs}


def forget(key: str, seeds: Sequence[int], *, project: Path) -> None:
    """Delete what is kept of these seeds under a key, so that they are trained anew."""
    for seed in seeds:
        shutil.rmtree(project / ".cggm" / "state" / key / f"seed-{seed}", ignore_errors=True)


def _assemble(
    jobs: Sequence[Job], out: Path, experiment: Experiment, dataset: Dataset, manifest: Path, project: Path
) -> None:
    """Copy what every seed left into OUT, with the spec and the data's manifest, so that a run explains itself.

    What was adapted from the weights that stood there goes.
    """
    for name in FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    with replaced(out / "train") as folder:
        for job in jobs:
            shutil.copytree(job.finished, folder / f"seed-{job.seed}")
        (folder / "experiment.yaml").write_text(dump(experiment), encoding="utf-8")
        (folder / "dataset.yaml").write_text(dump(dataset), encoding="utf-8")
        shutil.copyfile(manifest, folder / "manifest.json")
        if experiment.weights is not None and experiment.weights.statistics:
            keep_statistics(project / experiment.weights.folder, folder)
    cost = {str(job.seed): json.loads((job.state / "cost.json").read_text()) for job in jobs}
    write_whole(out / "cost.json", json.dumps({"seeds": cost}, indent=2) + "\n")
