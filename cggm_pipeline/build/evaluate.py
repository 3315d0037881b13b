"""All trained rows of a table, measured in one process: what `stages/evaluate.py` calls.

The test split is used here and nowhere else; nothing is chosen by it. A seed that failed has no entry, and a row all of
whose seeds failed stands in metrics.json with n = 0; the report says why.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from cggm_pipeline.build.measure import MEASURES
from cggm_pipeline.build.run import Run, build
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.data.output import replaced
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.confusion import confusion
from cggm_pipeline.evaluation.contributions import subsets
from cggm_pipeline.evaluation.features import split_features
from cggm_pipeline.evaluation.probes import Probe, classify, probe_all, regress
from cggm_pipeline.evaluation.rates import rate_metrics
from cggm_pipeline.evaluation.subsets import subset_metrics
from cggm_pipeline.spec import Experiment, load_resolved
from cggm_pipeline.spec.load import read
from cggm_pipeline.whole import write_whole

SPLITS = ("valid", "test")
PROBES: Mapping[str, Probe] = {"classes": classify, "values": regress}
"""Kind of target -> the linear probe for it; masks have none."""


@dataclass
class Measured:
    """One row and seed on one split, as seeds.json has it.

    `subsets`: the modalities that are there, joined by "+" (none: ""), to the metrics without the others. `rates`: the
    rate at which every modality is missing, to the metrics. `gaps`: a digest of which sample lacks which modality, the
    same where two evaluations had the same gaps.
    """

    row: str
    seed: int
    split: str
    metrics: dict[str, float]
    probes: dict[str, dict[str, float]] = field(default_factory=dict)
    subsets: dict[str, dict[str, float]] = field(default_factory=dict)
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    gaps: str = ""


def evaluate(table: str, project: Path) -> None:
    """Measure every seed of every row; write runs/TABLE/evaluation and runs/TABLE/metrics.json, whole or not at all.

    Raises BuildError where a row is not trained, or its weights are damaged or belong to another spec.
    """
    runs = project / "runs" / table
    rows = _rows(table, project)
    measured: list[Measured] = []
    matrices: dict[str, np.ndarray] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # part of the protocol, like the threads of training
    try:
        with threadpool_limits(1), replaced(runs / "evaluation") as folder:
            (folder / "predictions").mkdir()
            for row, experiment in rows.items():
                for run in _trained(experiment, runs / row, project):
                    measured += _measure(row, run, folder / "predictions" / f"{row}-{run.options.seed}.npz", matrices)
            (folder / "seeds.json").write_text(_json([asdict(entry) for entry in measured]))
            (folder / "confusion.json").write_text(_json({row: counts.tolist() for row, counts in matrices.items()}))
    finally:
        torch.set_num_threads(threads)
    write_whole(runs / "metrics.json", _json(summarise(list(rows), measured)))


def summarise(rows: list[str], measured: list[Measured]) -> dict[str, Any]:
    """Per row and split: n, and mean and standard deviation (over seeds, n - 1; 0 for one seed) of every metric."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for entry in measured:
        for metric, value in entry.metrics.items():
            found[entry.row, entry.split][metric].append(value)
    return {row: {split: _spread(found[row, split]) for split in SPLITS} for row in rows}


def _spread(metrics: Mapping[str, list[float]]) -> dict[str, Any]:
    spread: dict[str, Any] = {"n": max((len(values) for values in metrics.values()), default=0)}
    for name, values in metrics.items():
        sd = statistics.stdev(values) if len(values) > 1 else 0.0
        spread[name] = {"mean": statistics.fmean(values), "std": sd}
    return spread


def _rows(table: str, project: Path) -> dict[str, Experiment]:
    """The resolved experiments of a table, in its order."""
    folder = project / "specs" / "resolved"
    order = read(folder / "tables" / f"{table}.yaml").data["order"]
    return {row: load_resolved(folder / table / f"{row}.yaml", Experiment) for row in order}


def _trained(experiment: Experiment, folder: Path, project: Path) -> Iterator[Run]:
    """The run of every seed that did not fail, with its final weights."""
    for seed in experiment.seeds:
        path = folder / experiment.adaptation.final / f"seed-{seed}"
        if (path / "failed.json").is_file():
            continue
        if not path.is_dir():
            raise BuildError(f"{path}: error: this seed is not trained\n  Train it: `dvc repro`")
        run = build(experiment, seed, project=project)
        load_weights(run.built.network, path / "model.safetensors", spec_digest(experiment, run.dataset))
        yield run


def _measure(row: str, run: Run, predictions: Path, matrices: dict[str, np.ndarray]) -> list[Measured]:
    """Both splits of one seed; the test split's predictions go to a file, its confusion into the row's matrix."""
    kind, seed = run.dataset.target.kind, run.options.seed
    found = {split: MEASURES[kind](run, split, full=split == "test") for split in SPLITS}
    entries = [Measured(row, seed, split, found[split].metrics) for split in SPLITS]
    if kind in PROBES:
        features = [split_features(run.built.network, run.data[split]) for split in ("train", "test")]
        entries[-1].probes = probe_all(PROBES[kind], *features[0], *features[1])
    if len(run.built.network.modalities) > 1:  # a modality alone is never missing
        entries[-1].subsets = _subsets(run) if run.experiment.evaluation.subsets else {}
        entries[-1].rates = _rates(run)
    if (gaps := run.data["test"].gaps) is not None:
        entries[-1].gaps = gaps.digest()
    predictions.write_bytes(found["test"].archive())
    if kind == "classes":
        arrays = found["test"].arrays
        matrices[row] = matrices.get(row, 0) + confusion(arrays["logits"], arrays["target"])
    return entries


def _subsets(run: Run) -> dict[str, dict[str, float]]:
    """The test split with every subset of the modalities; the whole set included, so that one table has them all."""
    network = run.built.network
    names, predictor = subsets(network.modalities), run.built.predictor
    found = subset_metrics(network, run.built.task, run.data["test"], names, predictor=predictor)
    return {"+".join(sorted(names)): metrics for names, metrics in found.items()}


def _rates(run: Run) -> dict[str, dict[str, float]]:
    """The test split with every modality missing at each of the rates that the spec names."""
    built, rates, seed = run.built, run.experiment.evaluation.missing_rates, run.options.seed
    data = run.data["test"]
    found = rate_metrics(built.network, built.task, data, rates, split="test", seed=seed, predictor=built.predictor)
    return {str(rate): metrics for rate, metrics in found.items()}


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
