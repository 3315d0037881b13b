"""The training section of a spec as plain `Options`."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import Literal

from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training.optimizers import OPTIMIZERS
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.schedules import SCHEDULED, SCHEDULES

Mode = Literal["max", "min"]


def build_options(experiment: Experiment, task: Task, *, seed: int, device: str | None = None) -> Options:
    """How to train one seed. Raises BuildError where the selection metric is none of the task's."""
    spec = experiment.training
    metric, mode = _criterion(experiment, task)
    return Options(
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        optimizer=partial(OPTIMIZERS[spec.optimizer.kind], **spec.optimizer.arguments()),
        scheduler=partial(SCHEDULES[spec.scheduler.kind], **spec.scheduler.arguments()),
        metric=metric,
        mode=mode,
        seed=seed,
        clip=spec.clip,
        precision=spec.precision,
        accumulate=spec.accumulate,
        per_group=spec.per_group,
        patience=None if spec.early_stopping is None else spec.early_stopping.patience,
        modality_scores=spec.modality_scores,
        threads=spec.threads,
        classifiers=_classifiers(experiment),
        device=device,
        checkpoint_seconds=_checkpoint_seconds(),
    )


def _checkpoint_seconds() -> float:
    """Seconds between two checkpoints: CGGM_CHECKPOINT_SECONDS, or 15. No spec says it, as it changes no result."""
    text = os.environ.get("CGGM_CHECKPOINT_SECONDS", "15")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise BuildError(f"CGGM_CHECKPOINT_SECONDS is {text!r}; allowed: a number of seconds, 0 for every step")
    return seconds


def _criterion(experiment: Experiment, task: Task) -> tuple[str, Mode]:
    selection = experiment.training.selection
    if selection is None:
        metric, mode = task.criterion
        return metric, "max" if mode == "max" else "min"
    allowed = ["loss", *task.higher_is_better]
    if selection.metric not in allowed:
        raise BuildError(
            f"training.selection.metric: {selection.metric!r} is no metric of {experiment.task.kind} "
            f"(allowed: {', '.join(allowed)})"
        )
    return selection.metric, selection.mode


def _classifiers(experiment: Experiment) -> dict[str, float]:
    spec = experiment.classifiers
    rate = {} if spec.lr is None else {"lr": spec.lr}
    return {**rate, "weight_decay": spec.weight_decay, SCHEDULED: spec.scheduled}
