"""The plain predictor: one forward pass per batch, every sample once, in the order of the split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches

BATCH = 512


@dataclass(frozen=True)
class Predictions:
    """Logits (N, out_features) and targets (N, ...) of a whole split, on the network's device, in the split's order."""

    logits: Tensor
    target: Tensor


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode and no graph inside; every module is back in the mode it was in afterwards, frozen ones too."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def predict(network: nn.Module, data: Batches, *, batch_size: int = BATCH) -> Predictions:
    """Logits of every sample of `data` (no batch is dropped), as `network` stands, without random numbers."""
    logits, targets = [], []
    with evaluating(network):
        for batch in data.batches(batch_size, train=False):
            logits.append(network(batch.inputs).logits)
            targets.append(batch.target)
    return Predictions(torch.cat(logits), torch.cat(targets))
