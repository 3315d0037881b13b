"""The plain predictor: one forward pass per batch, every sample once, in the order of the split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.layers.features import Input

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches
    from cggm_pipeline.data.manifest import Form

BATCH = 512
BATCH_BYTES = 32 * 2**20
"""A batch has at most BATCH samples, and fewer where their inputs, as float32, would take more than this."""
VARYING = 224
"""What a size counts as that varies from sample to sample; a text counts as one image of these sides."""


class Plain(Predictor):
    """The logits of one forward pass."""

    def __call__(self, network: nn.Module, inputs: Mapping[str, Input]) -> Tensor:
        logits: Tensor = network(inputs).logits
        return logits


PLAIN = Plain()


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


def fitting(data: Batches, predictor: Predictor = PLAIN) -> int:
    """How many samples are predicted at a time: the predictor's own number, or else by the shapes.

    By the shapes alone, so that it is the same everywhere.
    """
    if predictor.batch_size is not None:
        return predictor.batch_size
    sample = sum(_numbers(data.split.columns[name].form) for name in data.modalities)
    return max(1, min(BATCH, BATCH_BYTES // (4 * sample)))


def _numbers(form: Form) -> int:
    if form.dtype == "text":
        return VARYING * VARYING
    return prod(VARYING if size is None else size for size in form.shape)


def forward(
    network: nn.Module,
    data: Batches,
    take: Callable[[Tensor, Tensor], None],
    *,
    predictor: Predictor = PLAIN,
    batch_size: int | None = None,
) -> None:
    """Hand logits and target of every batch of `data` to `take`; no batch is dropped, nothing is kept.

    `network` as it stands, in eval mode, in one pass of the predictor, which sees inputs alone. `batch_size`: samples
    at a time (null: `fitting`).
    """
    with evaluating(network):
        ask = predictor.open(network)
        for batch in data.batches(batch_size or fitting(data, predictor), train=False):
            take(ask(batch.inputs), batch.target)


def predict(
    network: nn.Module, data: Batches, *, predictor: Predictor = PLAIN, batch_size: int | None = None
) -> Predictions:
    """Logits of every sample of `data`, as a whole: for outputs of a few numbers a sample."""
    logits: list[Tensor] = []
    targets: list[Tensor] = []

    def take(found: Tensor, target: Tensor) -> None:
        logits.append(found)
        targets.append(target)

    forward(network, data, take, predictor=predictor, batch_size=batch_size)
    return Predictions(torch.cat(logits), torch.cat(targets))
