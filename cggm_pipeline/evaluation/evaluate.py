"""Metrics of a split: a predictor's logits of every sample, measured by the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from cggm_pipeline.evaluation.predictors.plain import BATCH, Predictions, predict
from cggm_pipeline.tasks.base import Task

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches


def measure(task: Task, predictions: Predictions) -> dict[str, float]:
    """The task's metrics, and `loss`: the task's own loss over the whole split."""
    loss = task.loss(predictions.logits.float(), predictions.target).item()
    return {"loss": loss, **task.metrics(predictions.logits.cpu(), predictions.target.cpu())}


def evaluate(network: nn.Module, task: Task, data: Batches, *, batch_size: int = BATCH) -> dict[str, float]:
    """Metrics of `network` on every sample of `data`, in eval mode; the network is left as it was."""
    return measure(task, predict(network, data, batch_size=batch_size))
