"""Task and loss from their specs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.dataset import Dataset, Mask, Values
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.labels import slug_of
from cggm_pipeline.spec.tasks import Segmentation
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
    classes = None if isinstance(target, Values) else target.number
    out_features = target.width if isinstance(target, Values) else target.number
    with at("task.loss"):
        loss = _build_loss(spec.loss, classes, class_counts).to(device)
    arguments = {**spec.arguments(), "loss": loss}
    if isinstance(target, Mask) and isinstance(spec, Segmentation):
        with at("task.regions"):
            arguments["regions"] = _regions(spec.regions, target)
    task: Task = implementation(TABLES["tasks"][spec.kind])(out_features, **arguments)
    return task


def _regions(regions: Mapping[str, Sequence[int]] | None, target: Mask) -> Mapping[str, Sequence[int]]:
    """The regions that Dice is measured of; null: every foreground class, by the slug of its name."""
    if regions is None:
        names = target.names or [f"class {index}" for index in range(target.number)]
        regions = {slug_of(name): (index,) for index, name in enumerate(names) if index}
        if len(regions) != target.number - 1 or "" in regions:
            raise BuildError(f"the class names ({', '.join(names)}) give no distinct names of regions; write regions:")
    beyond = sorted({index for members in regions.values() for index in members if not 0 < index < target.number})
    if beyond:
        raise BuildError(f"there is no class {', '.join(map(str, beyond))} (allowed: 1 to {target.number - 1})")
    return regions


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
