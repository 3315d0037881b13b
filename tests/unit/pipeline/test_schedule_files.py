"""The schedule and the predictor are dependencies of the experiments that name them, and of no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.kinds import network_files, train_files
from cggm_pipeline.spec import Experiment

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("schedules", "evaluation/predictors")
ALWAYS = {"__init__.py", "base.py", "everything.py", "plain.py"}
"""Fit's own defaults, read by every training."""


def experiment(**changes: Any) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": {"kind": "mlp", "hidden": [6]}} for name in "ab"},
        "fusion": {"kind": "mean"},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def read(code: Code, **changes: Any) -> set[str]:
    files = train_files(code, experiment(**changes), code.package / "build" / "train.py")
    return {file.name for file in files if str(file.parent.relative_to(code.package)) in ROOMS} - ALWAYS


def test_training_reads_the_schedule_and_the_predictor_that_are_named() -> None:
    code = Code.of(ROOT)
    assert read(code) == set()
    assert read(code, schedule={"kind": "alternating"}) == {"alternating.py"}
    asked = {"prediction": {"kind": "entropy_weighted"}, "schedule": {"kind": "smv"}}
    assert read(code, **asked) == {"entropy_weighted.py", "smv.py"}


def test_evaluation_reads_the_predictor_and_not_the_schedule() -> None:
    changes = {"prediction": {"kind": "entropy_weighted"}, "schedule": {"kind": "smv"}}
    names = {file.name for file in network_files(Code.of(ROOT), experiment(**changes))}
    assert "entropy_weighted.py" in names
    assert "smv.py" not in names
