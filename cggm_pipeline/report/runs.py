"""What runs/TABLE/ holds, read: histories, summaries, failures and costs per row; scores, predictions and confusion."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cggm_pipeline.errors import DataError
from cggm_pipeline.spec import Experiment, load_resolved

History = Mapping[str, NDArray[np.float64]]
T = TypeVar("T")
FAILED = "failed.json"
_SEED = re.compile(r"seed-(\d{1,10})")


@dataclass(frozen=True)
class Failure:
    """Why one seed has no result, as training wrote it."""

    error: str
    step: int | None = None
    tensor: str | None = None
    modality: str | None = None

    def __str__(self) -> str:
        places = {"step": self.step, "tensor": self.tensor, "modality": self.modality}
        where = ", ".join(f"{name} {value}" for name, value in places.items() if value is not None)
        return f"{self.error} ({where})" if where else self.error


@dataclass(frozen=True)
class SeedRun:
    """One trained seed: `history` has one array over epochs per column; `failure` stands where it stopped."""

    seed: int
    history: History = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True)
class RowRun:
    """All seeds of one row that were trained, by seed; what they cost (empty: not measured); what was trained."""

    slug: str
    seeds: Mapping[int, SeedRun]
    cost: Mapping[str, Any]
    experiment: Experiment | None = None

    @property
    def failures(self) -> dict[int, Failure]:
        return {seed: run.failure for seed, run in self.seeds.items() if run.failure is not None}

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary of the first seed that finished: sizes and versions are the same in all."""
        return next((run.summary for run in self.seeds.values() if run.failure is None), {})


@dataclass(frozen=True)
class Score:
    """Metrics and linear probes {modality: {metric: value}} of one row and seed on one split.

    `subsets`: the modalities that are there, joined by "+", to the metrics without the others; empty: not measured.
    `rates`: the rate at which every modality is missing, to the metrics; empty: not measured.
    """

    row: str
    seed: int
    split: str
    metrics: Mapping[str, float]
    probes: Mapping[str, Mapping[str, float]]
    subsets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """Test samples of one row and seed: ids (N,); target (N, ...) and prediction (N, C) probabilities or (N, K) values,
    None for masks; `samples`: metric to its value of every id, float64 (N,). For masks ids are those of cases."""

    ids: NDArray[Any]
    target: NDArray[Any] | None = None
    prediction: NDArray[Any] | None = None
    samples: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def read_row(folder: Path, final: str = "train") -> RowRun:
    """The row in runs/TABLE/ROW. A row that was never trained has no seeds. DataError where a file is damaged.

    `final`: the folder of its final weights; a seed that stopped on the way there has a failure.
    """
    trained = folder / "train"
    seeds = {int(match[1]): path for path in sorted(trained.glob("seed-*")) if (match := _SEED.fullmatch(path.name))}
    runs = {
        seed: _in_the_end(read_seed(path, seed), folder / final / path.name) for seed, path in sorted(seeds.items())
    }
    cost, spec = folder / "cost.json", trained / "experiment.yaml"
    experiment = load_resolved(spec, Experiment) if spec.is_file() else None
    return RowRun(folder.name, runs, _json(cost, dict) if cost.is_file() else {}, experiment)


def read_seed(folder: Path, seed: int) -> SeedRun:
    """One seed-<s> folder. DataError where neither a summary nor a failure stands in it, or a file is damaged."""
    history = _history(folder / "history.csv") if (folder / "history.csv").is_file() else {}
    if (folder / FAILED).is_file():
        return SeedRun(seed, history, failure=_failure(folder))
    if not (folder / "summary.json").is_file():
        raise DataError(f"{folder}: neither summary.json nor failed.json is there; train this row again")
    return SeedRun(seed, history, _json(folder / "summary.json", dict))


def _in_the_end(run: SeedRun, folder: Path) -> SeedRun:
    """A trained seed, failed where the stage after its training did."""
    return replace(run, failure=_failure(folder)) if run.failure is None and (folder / FAILED).is_file() else run


def _failure(folder: Path) -> Failure:
    found = _json(folder / FAILED, dict)
    known = {key: found.get(key) for key in ("step", "tensor", "modality")}
    return Failure(str(found.get("error", "stopped")), **known)


def read_scores(table: Path) -> list[Score]:
    """runs/TABLE/evaluation/seeds.json; empty where the table was not evaluated."""
    path = table / "evaluation" / "seeds.json"
    if not path.is_file():
        return []
    return _checked(path, lambda: [_score(record) for record in _json(path, list)])


def read_confusion(table: Path) -> dict[str, NDArray[np.float64]]:
    """Per row the confusion matrix (true class, predicted class), counts over all seeds; empty where there is none."""
    path = table / "evaluation" / "confusion.json"
    if not path.is_file():
        return {}
    return _checked(path, lambda: {row: _square(value) for row, value in _json(path, dict).items()})


def read_predictions(table: Path, row: str, seed: int) -> Predictions | None:
    """runs/TABLE/evaluation/predictions/ROW-SEED.npz, never unpickled; None where it is not there."""
    path = table / "evaluation" / "predictions" / f"{row}-{seed}.npz"
    if not path.is_file():
        return None
    return _checked(path, lambda: _load(path))


def _load(path: Path) -> Predictions:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    target, prediction = arrays.get("target"), arrays.get("prediction")
    samples = {name.removeprefix("sample_"): arrays[name] for name in arrays if name.startswith("sample_")}
    given = {"target": target, "prediction": prediction, **samples}
    lengths = {name: len(array) for name, array in given.items() if array is not None}
    if not lengths:
        raise ValueError("neither predictions nor values of samples are in it")
    ids = arrays["ids"] if "ids" in arrays else np.arange(next(iter(lengths.values())))
    if set(lengths.values()) != {len(ids)}:
        raise ValueError(", ".join(f"{length} of {name}" for name, length in {**lengths, "ids": len(ids)}.items()))
    return Predictions(ids, target, prediction, samples)


def _score(record: Mapping[str, Any]) -> Score:
    metrics = {str(name): _number(value) for name, value in record["metrics"].items()}
    nested = [
        {
            key: {name: _number(value) for name, value in found.items()}
            for key, found in (record.get(part) or {}).items()
        }
        for part in ("probes", "subsets", "rates")
    ]
    return Score(str(record["row"]), int(record["seed"]), str(record["split"]), metrics, *nested)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _square(value: Any) -> NDArray[np.float64]:
    array = np.array(value, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"a confusion matrix is square, this one is {array.shape}")
    return array


def _history(path: Path) -> History:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0]) if rows else []
    return _checked(path, lambda: {name: np.array([_cell(row[name]) for row in rows]) for name in names})


def _cell(text: str | None) -> float:
    return float(text) if text else float("nan")


def _json(path: Path, form: type[T]) -> T:
    def load() -> T:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, form):
            raise ValueError(f"a {form.__name__} was expected, found a {type(found).__name__}")
        return found

    return _checked(path, load)


def _checked(path: Path, load: Callable[[], T]) -> T:
    try:
        return load()
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is damaged or of another version ({detail}); run its stage again") from error
