"""CASP's second stage on a whole split: training on pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from cggm_pipeline.evaluation.adaptation.copies import check_learning, only_learning_
from cggm_pipeline.evaluation.adaptation.epochs import Row, Tell, adapting, mean_of, silent
from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.adaptation.steps import Loss, pseudo_step
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network

Sampled = tuple[Mapping[str, Input], Tensor]
"""Inputs of a batch, and the positions (B,) of its samples in the split."""


def pseudo(
    network: Network,
    epoch_of: Callable[[int], Iterable[Sampled]],
    labels: Tensor,
    loss: Loss,
    *,
    epochs: int = 5,
    lr: float = 1e-3,
    clip: float | None = 0.8,
    tell: Tell = silent,
) -> list[Row]:
    """Train the network's normalisation layers in place on pseudo-labels; the history, one row per epoch.

    `epoch_of(e)` gives the batches of epoch e, of the selected samples alone; `labels` (N, ...) the pseudo-label of
    every sample of the split; `loss` is the task's. Dropout is on and draws from torch's generator. Raises BuildError
    where nothing would move, DivergedError where the loss is not finite.
    """
    check_learning(network, "casp")
    learner = Learner(only_learning_(network), lr=lr, clip=clip)
    history: list[Row] = []
    for epoch in range(epochs):
        losses = []
        with adapting(network):
            for inputs, index in epoch_of(epoch):
                label = labels[index.to(labels.device)]
                losses.append(pseudo_step(network, inputs, label, learner, loss))
        history.append({"epoch": float(epoch), "pseudo_loss": mean_of(losses, "pseudo", history)})
        tell(history[-1])
    return history
