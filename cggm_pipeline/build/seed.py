"""One seed of one row: build, train (or go on), write what is kept."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from cggm_pipeline import __version__
from cggm_pipeline.build.job import Job
from cggm_pipeline.build.run import Run, build
from cggm_pipeline.build.weights import spec_digest
from cggm_pipeline.data.output import locked
from cggm_pipeline.evaluation.calibration import fit_temperature
from cggm_pipeline.evaluation.predictors.plain import predict
from cggm_pipeline.training.checkpoint import Checkpoints
from cggm_pipeline.training.fit import Fitted
from cggm_pipeline.training.moment import Progress
from cggm_pipeline.training.outputs import module_parameters, write_failed, write_finished
from cggm_pipeline.training.watch import NotFiniteError

VERSIONS = ("torch", "numpy", "scikit-learn", "accelerate", "timm")


def train_seed(job: Job, progress: Progress) -> None:
    """Train one seed; its results stand in `job.finished` afterwards, whole. A NaN is a result: it would come again."""
    job.state.mkdir(parents=True, exist_ok=True)
    with locked(job.state):
        if job.finished.is_dir():
            return
        run = build(job.experiment, job.seed, project=job.project, dataset=job.dataset, device=job.device)
        device = str(next(run.built.network.parameters()).device)
        try:
            fitted = run.fit(state=job.state, key=job.key, progress=progress)
        except NotFiniteError as error:
            write_failed(job.finished, error, summary=_summary(run), device=device)
        else:
            summary = {**_summary(run), **_selected(run, fitted)}
            write_finished(job.finished, fitted, metadata=_metadata(job), summary=summary, device=device)
        Checkpoints(job.state, key=job.key, seed=job.seed).clear()


def _metadata(job: Job) -> dict[str, str]:
    return {"spec": spec_digest(job.experiment, job.dataset), "seed": str(job.seed)}


def _summary(run: Run) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "cggm_pipeline": __version__}
    return {
        "seed": run.options.seed,
        "parameters": run.built.network.parameter_counts(),
        "trainable": module_parameters(run.built.network, trainable=True),
        "classifier_parameters": module_parameters(run.built.modulation),
        "versions": versions | {name: version(name) for name in VERSIONS},
    }


def _selected(run: Run, fitted: Fitted) -> dict[str, Any]:
    metric = run.options.metric
    row = fitted.history[fitted.selected]
    return {
        "epochs": len(fitted.history),
        "selected_epoch": fitted.selected,
        "selection": {"metric": metric, "mode": run.options.mode, "value": row[f"valid_{metric}"]},
        "temperature": CALIBRATION.get(run.dataset.target.kind, _uncalibrated)(run),
    }


def _temperature(run: Run) -> float:
    predictions = predict(run.built.network, run.data["valid"], predictor=run.built.predictor.selecting)
    return fit_temperature(predictions.logits, predictions.target)


def _uncalibrated(run: Run) -> None:
    return None


CALIBRATION: dict[str, Callable[[Run], float | None]] = {"classes": _temperature}
"""How the predictions for a kind of target are calibrated; real values are not."""
