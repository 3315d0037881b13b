"""Metrics of a split: a predictor's logits of every sample, measured by the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.plain import PLAIN, Predictions, forward
from cggm_pipeline.tasks.base import Meter, Task

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches


def measure(task: Task, predictions: Predictions) -> Meter:
    """The meter of predictions that are held as a whole."""
    meter = task.meter()
    meter.add(predictions.logits, predictions.target)
    return meter


def stream(
    network: nn.Module,
    task: Task,
    data: Batches,
    *,
    predictor: Predictor = PLAIN,
    full: bool = False,
    batch_size: int | None = None,
) -> Meter:
    """The meter of every sample of `data`, filled batch by batch. `full`: see `Task.meter`."""
    meter = task.meter(data.split.groups, full=full)
    forward(network, data, meter.add, predictor=predictor, batch_size=batch_size)
    return meter


def evaluate(
    network: nn.Module,
    task: Task,
    data: Batches,
    *,
    predictor: Predictor = PLAIN,
    batch_size: int | None = None,
) -> dict[str, float]:
    """`loss` and the task's metrics of `network` on every sample of `data`; the network is left as it was."""
    return stream(network, task, data, predictor=predictor, batch_size=batch_size).result()
