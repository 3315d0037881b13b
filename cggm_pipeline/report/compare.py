"""Two runs beside each other: what differs in their specs, data and versions, and in their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cggm_pipeline.errors import DataError
from cggm_pipeline.report.differences import Side, paired
from cggm_pipeline.report.flat import flat
from cggm_pipeline.report.material import DataFacts, read_facts
from cggm_pipeline.report.metrics import Metric, metric
from cggm_pipeline.report.runs import RowRun, Score, SeedRun, read_row, read_scores
from cggm_pipeline.report.statistics import Difference, Summary, summarise, t_difference

Change = tuple[str, Any, Any]
ABSENT = "–"


@dataclass(frozen=True)
class Run:
    """One run: a row's folder, all its seeds or one of them. `scores`: on the test split, by seed; may be empty."""

    folder: Path
    row: RowRun
    seeds: Mapping[int, SeedRun]
    scores: Mapping[int, Score]
    name: str


@dataclass(frozen=True)
class Compared:
    """One metric of both runs on one split, and the second minus the first, paired over common seeds."""

    split: str
    metric: Metric
    one: Summary | None
    other: Summary | None
    difference: Difference | None


@dataclass(frozen=True)
class Comparison:
    """`changes`: what differs in spec, data, versions and size, as (dotted key, first, second).

    `banners`: what must be said above the numbers where the data of either run were made up.
    """

    one: Run
    other: Run
    changes: tuple[Change, ...]
    metrics: tuple[Compared, ...]
    banners: tuple[str, ...] = ()


def compare(one: Path, other: Path) -> Comparison:
    """Compare two runs. Each is runs/TABLE/ROW, its train/ folder, or one train/seed-S folder.

    DataError where a folder is no run or is damaged. Runs without a common seed are compared without intervals.
    """
    first, second = read_run(one), read_run(other)
    banners = tuple(sorted({_facts(run).banner for run in (first, second)} - {""}))
    return Comparison(first, second, tuple(_changes(first, second)), tuple(_metrics(first, second)), banners)


def read_run(path: Path) -> Run:
    """The run that a folder holds."""
    full = path.resolve()
    seed = int(full.name[5:]) if full.name.startswith("seed-") and full.name[5:].isdecimal() else None
    trained = full.parent if seed is not None else full if full.name == "train" else full / "train"
    if not trained.is_dir():
        raise DataError(f"{path} is not a run: give runs/TABLE/ROW, or one seed of it, runs/TABLE/ROW/train/seed-0")
    row = read_row(trained.parent)
    seeds = {number: run for number, run in row.seeds.items() if seed in (None, number)}
    if not seeds:
        raise DataError(f"{path} has no trained seed; allowed here: {', '.join(map(str, row.seeds)) or 'none'}")
    scores = {
        score.seed: score
        for score in read_scores(trained.parents[1])
        if score.row == row.slug and score.split == "test" and score.seed in seeds
    }
    return Run(trained.parents[1], row, seeds, scores, str(path))


def _changes(one: Run, other: Run) -> list[Change]:
    first, second = _settings(one), _settings(other)
    keys = dict.fromkeys((*first, *second))
    found = [(key, first.get(key, ABSENT), second.get(key, ABSENT)) for key in keys]
    return [change for change in found if change[1] != change[2]]


def _settings(run: Run) -> dict[str, Any]:
    """Everything that was set or counted, as dotted keys."""
    spec = run.row.experiment
    found = flat(spec.model_dump(mode="json", exclude={"description"})) if spec is not None else {}
    summary = run.row.summary
    facts = _facts(run)
    found |= {"data digest": facts.digest[:12]} if facts.digest else {}
    found |= flat({"versions": summary.get("versions") or {}, "parameters": summary.get("parameters") or {}})
    if "classifier_parameters" in summary:
        found["parameters of classifiers"] = summary["classifier_parameters"]
    return found


def _facts(run: Run) -> DataFacts:
    spec = run.row.experiment
    return read_facts(run.folder / run.row.slug / "train", spec.data if spec is not None else "")


def _metrics(one: Run, other: Run) -> list[Compared]:
    """Test metrics where both were evaluated, and the validation metrics of the epochs that were kept."""
    found = []
    for split, sides in (("test", (_test(one), _test(other))), ("valid", (_valid(one), _valid(other)))):
        for name in dict.fromkeys((*sides[0], *sides[1])):
            found.append(_compared(split, metric(name), one, other, sides[0].get(name, {}), sides[1].get(name, {})))
    return found


def _compared(
    split: str, chosen: Metric, one: Run, other: Run, first: Mapping[int, float], second: Mapping[int, float]
) -> Compared:
    summaries = [summarise(values) if values else None for values in (first, second)]
    difference = None
    if set(first) & set(second):
        sides = Side(other.folder, other.row.slug, second), Side(one.folder, one.row.slug, first)
        difference = paired(*sides, chosen) if split == "test" else t_difference(second, first)
    return Compared(split, chosen, summaries[0], summaries[1], difference)


def _test(run: Run) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for seed, score in run.scores.items():
        for name, value in score.metrics.items():
            found.setdefault(name, {})[seed] = value
    return found


def _valid(run: Run) -> dict[str, dict[int, float]]:
    """Validation metrics by name and seed, at the epoch whose weights were kept."""
    found: dict[str, dict[int, float]] = {}
    for seed, trained in run.seeds.items():
        epoch = trained.summary.get("selected_epoch")
        for column, values in trained.history.items():
            if column.startswith("valid_") and epoch is not None and np.isfinite(values[epoch]):
                found.setdefault(column.removeprefix("valid_"), {})[seed] = float(values[epoch])
    return found
