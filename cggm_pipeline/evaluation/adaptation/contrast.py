"""CASP's first stage on a whole split: two views of every sample are brought together, and predictions are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.copies import check_learning, only_learning_
from cggm_pipeline.evaluation.adaptation.epochs import Row, Tell, adapting, mean_of, silent
from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.adaptation.steps import contrast_step
from cggm_pipeline.evaluation.adaptation.views import drawn
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network

Inputs = Mapping[str, Input]


@dataclass(frozen=True)
class Contrasted:
    """`trajectory`: predictions (K, N, ...) on the CPU, in the split's order; `history`: one row per epoch."""

    trajectory: Tensor
    history: list[Row]


def contrast(
    network: Network,
    split: Callable[[], Iterable[Inputs]],
    epoch_of: Callable[[int], Iterable[Inputs]],
    predict: Callable[[Tensor], Tensor],
    *,
    epochs: int = 15,
    every: int = 3,
    temperature: float = 0.5,
    lr: float = 1e-3,
    clip: float | None = 0.8,
    drop: Mapping[str, float] | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Contrasted:
    """Adapt normalisation layers in place, and predict the split before it and after every `every` epochs.

    `split()` gives the inputs of every sample once, in order; `epoch_of(e)` those of epoch e, in the order of its
    steps; `predict` what of the logits is kept (`Task.predict`). In each step the second view lacks one modality, drawn
    from (`seed`, epoch, step). Dropout is on and draws from torch's generator. Raises BuildError where nothing would
    move or be left out, DivergedError where the loss is not finite.
    """
    check_learning(network, "casp")
    if len(network.modalities) < 2 or every > epochs:
        raise BuildError(
            f"casp needs 2 modalities and `every` of at most `epochs`; found {len(network.modalities)} modalities, "
            f"every {every}, epochs {epochs}"
        )
    learner = Learner(only_learning_(network), lr=lr, clip=clip)
    history: list[Row] = []
    kept = [predictions(network, split(), predict)]
    for epoch in range(epochs):
        losses = []
        with adapting(network):
            for index, inputs in enumerate(epoch_of(epoch)):
                (modality,) = drawn(network.modalities, seed, epoch, index, drop=drop)
                losses.append(contrast_step(network, inputs, modality, learner, temperature=temperature)[1])
        history.append({"epoch": float(epoch), "contrast_loss": mean_of(losses, "contrast", history)})
        tell(history[-1])
        if (epoch + 1) % every == 0:
            kept.append(predictions(network, split(), predict))
    return Contrasted(torch.stack(kept), history)


def predictions(network: Network, split: Iterable[Inputs], predict: Callable[[Tensor], Tensor]) -> Tensor:
    """What the network as it stands predicts for every sample, (N, ...) on the CPU."""
    with evaluating(network):
        return torch.cat([predict(PLAIN(network, inputs)).cpu() for inputs in split])
