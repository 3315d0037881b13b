"""The two kinds of steps of CASP, on one batch of inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.adaptation.losses import nt_xent
from cggm_pipeline.evaluation.adaptation.views import without
from cggm_pipeline.layers.features import Input, Output
from cggm_pipeline.network import Network

Loss = Callable[[Tensor, Tensor], Tensor]
"""A task's loss: logits and targets to a scalar."""


@torch.enable_grad()
def contrast_step(
    network: Network, inputs: Mapping[str, Input], modality: str, learner: Learner, *, temperature: float = 0.5
) -> tuple[Tensor, Tensor]:
    """One step that brings z of the samples and z of the samples without `modality` together.

    Returns the logits (B, C, ...) before the step, and the loss. Only the network's modalities are read.
    """
    given = {name: inputs[name] for name in network.modalities}
    whole: Output = network(given)
    lacking: Output = network(without(given, modality))
    loss = nt_xent(whole.fused, lacking.fused, temperature=temperature)
    learner.step(loss)
    return whole.logits.detach(), loss.detach()


@torch.enable_grad()
def pseudo_step(
    network: Network,
    inputs: Mapping[str, Input],
    label: Tensor,
    learner: Learner,
    loss: Loss,
    *,
    rows: Tensor | slice = slice(None),
) -> Tensor:
    """One step of the task's loss with pseudo-labels (B, ...) for targets, on these rows of the batch; the loss."""
    output: Output = network(inputs)
    value = loss(output.logits[rows], label[rows])
    learner.step(value)
    return value.detach()
