"""Validation and test metrics of the seeds of one run, for `cggm train`'s table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.build.batches import build_batches, build_gaps
from cggm_pipeline.build.documents import prepared_folder
from cggm_pipeline.build.trained import find_trained
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.training.machine import chosen_device


@dataclass(frozen=True)
class Score:
    """Metrics of one seed on the two splits that nothing was trained on."""

    seed: int
    valid: dict[str, float]
    test: dict[str, float]


def score(out: Path, project: Path, *, device: str | None = None) -> Iterator[Score]:
    """Every seed of the run in OUT that finished, on the data of its project."""
    trained = find_trained(out)
    where = chosen_device(device)
    prepared = Prepared.open(prepared_folder(trained.experiment.data, project))
    spec = trained.experiment
    data = {
        split: build_batches(spec, prepared, split, device=where, statistics=trained.statistics)
        for split in ("valid", "test")
    }
    for folder in trained.seeds:
        built = trained.network(folder, where)
        seed = int(folder.name.removeprefix("seed-"))
        gaps = {split: build_gaps(spec, prepared, split, seed) for split in data}
        found = [
            evaluate(built.network, built.task, batches.under(gaps[split]), predictor=built.predictor)
            for split, batches in data.items()
        ]
        yield Score(seed, *found)
