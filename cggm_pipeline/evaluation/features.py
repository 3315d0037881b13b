"""Frozen features of every modality: what the encoders say about a whole split, as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.evaluation.predictors.plain import evaluating, fitting
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.transformer import mean_over_time
from cggm_pipeline.network import Network

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches


def pooled(features: Features) -> Tensor:
    """One vector per sample, (B, D): vectors as they are, tokens averaged over what is no padding, maps over pixels."""
    if isinstance(features.values, list):
        return torch.cat([level.flatten(2).mean(2) for level in features.values], 1)
    values = features.values
    if values.dim() == 2:
        return values
    return mean_over_time(values, features.mask)


def split_features(
    network: Network, data: Batches, *, batch_size: int | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pooled features (N, D) of each modality and the targets (N, ...), of every sample, in the split's order."""
    rows: dict[str, list[Tensor]] = {name: [] for name in network.modalities}
    targets = []
    with evaluating(network):
        for batch in data.batches(batch_size or fitting(data), train=False):
            for name, features in network(batch.inputs).features.items():
                rows[name].append(pooled(features).float().cpu())
            targets.append(batch.target.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in rows.items()}, torch.cat(targets).numpy()
