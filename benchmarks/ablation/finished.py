"""The runs on disk: one CSV per dataset, rewritten whole after every run, so that a killed ablation continues."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.whole import write_whole

COLUMNS = ("dataset", "method", "seed", "valid", "test", "probes", "share_of_negative_B")


@dataclass(frozen=True)
class Run:
    """One training. Accuracies and shares in [0, 1]."""

    dataset: str
    method: str
    seed: int
    valid: float
    test: float
    probes: Mapping[str, float]
    negative: float


def read(path: Path) -> list[Run]:
    """The runs of a file; none where it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [_run(row) for row in csv.DictReader(file)]


def _run(row: Mapping[str, str]) -> Run:
    probes = {name: float(value) for name, value in (each.split("=") for each in row["probes"].split())}
    numbers = (float(row["valid"]), float(row["test"]))
    return Run(row["dataset"], row["method"], int(row["seed"]), *numbers, probes, float(row["share_of_negative_B"]))


def write(path: Path, runs: Sequence[Run]) -> None:
    """Replace the file, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(run) for run in runs)
    write_whole(path, text.getvalue())


def _cells(run: Run) -> list[str]:
    probes = " ".join(f"{name}={value:.4f}" for name, value in run.probes.items())
    numbers = [f"{value:.4f}" for value in (run.valid, run.test)]
    return [run.dataset, run.method, str(run.seed), *numbers, probes, f"{run.negative:.4f}"]
