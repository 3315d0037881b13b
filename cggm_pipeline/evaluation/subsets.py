"""Metrics with modalities missing at test time: every subset of them, absent as a sample without it would be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cggm_pipeline.evaluation.contributions import Kept
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating, fitting
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.base import Task

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches


def subset_metrics(
    network: Network,
    task: Task,
    data: Batches,
    kept: Sequence[Kept],
    *,
    predictor: Predictor = PLAIN,
    batch_size: int | None = None,
) -> dict[Kept, dict[str, float]]:
    """The task's metrics, and `loss`, with only these modalities, for each of `kept`; what the fill makes of the rest.

    A sample that lacks a modality by itself lacks it in every subset. Each subset is a pass of its own for a predictor
    that adapts. `batch_size`: samples at a time (null: `fitting`).
    """
    meters = {names: task.meter(data.split.groups) for names in kept}
    with evaluating(network):
        asks = {names: predictor.open(network) for names in kept}
        for batch in data.batches(batch_size or fitting(data, predictor), train=False):
            for names, meter in meters.items():
                meter.add(asks[names](only(batch.inputs, names)), batch.target)
    return {names: meter.result() for names, meter in meters.items()}


def alone(network: Network, task: Task, data: Batches, metric: str) -> dict[str, float]:
    """The metric of each modality without the others; empty for a network with one modality."""
    names = network.modalities
    kept = [frozenset({name}) for name in names] if len(names) > 1 else []
    found = subset_metrics(network, task, data, kept) if kept else {}
    return {name: metrics[metric] for (name,), metrics in found.items()}


def only(inputs: Mapping[str, Input], kept: Collection[str]) -> dict[str, Input]:
    """The inputs with every modality absent that is not kept."""
    return {name: given if name in kept else given.lacking(_everybody(given)) for name, given in inputs.items()}


def _everybody(given: Input) -> Tensor:
    return torch.ones(len(given.values), dtype=torch.bool, device=given.values.device)
