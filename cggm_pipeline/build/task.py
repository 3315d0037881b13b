"""Task and loss from their specs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.dataset import Classes, Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.tasks.base import Task


def build_task(
    experiment: Experiment, dataset: Dataset, *, device: torch.device | str, class_counts: Sequence[int] | None = None
) -> Task:
    """The task with its loss on `device`. `class_counts`: training samples per class, for balanced class weights."""
    spec = experiment.task
    with at("task"):
        if spec.target != dataset.target.kind:
            raise BuildError(
                f"{spec.kind} needs a dataset with target kind '{spec.target}', but '{experiment.data}' declares "
                f"'{dataset.target.kind}'"
            )
    target = dataset.target
    classes = target.number if isinstance(target, Classes) else None
    out_features = target.number if isinstance(target, Classes) else target.width
    with at("task.loss"):
        loss = _build_loss(spec.loss, classes, class_counts).to(device)
    arguments = {**spec.arguments(), "loss": loss}
    task: Task = implementation(TABLES["tasks"][spec.kind])(out_features, **arguments)
    return task


def _build_loss(spec: Any, classes: int | None, class_counts: Sequence[int] | None) -> nn.Module:
    arguments = spec.arguments()
    if arguments.get("class_weights") is not None:
        arguments["class_weights"] = _class_weights(arguments["class_weights"], classes, class_counts)
    loss: nn.Module = implementation(TABLES["losses"][spec.kind])(**arguments)
    return loss


def _class_weights(
    weights: str | Sequence[float], classes: int | None, counts: Sequence[int] | None
) -> tuple[float, ...]:
    """One weight per class. "balanced": N / (C n_c), as in scikit-learn; a class without samples weighs nothing."""
    if isinstance(weights, str):
        if counts is None:
            raise BuildError("class_weights: balanced needs the class counts of prepared training data")
        total = sum(counts)
        weights = [total / (len(counts) * count) if count else 0.0 for count in counts]
    if len(weights) != classes:
        raise BuildError(f"class_weights: {len(weights)} weights for {classes} classes; write one per class")
    return tuple(weights)
