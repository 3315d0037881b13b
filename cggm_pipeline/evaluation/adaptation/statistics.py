"""Batch normalisation by the statistics of the batch that is predicted, in a network that is in eval mode.

A channel of which a batch has one value alone has no variance: the running statistics stand for that batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.norms import batch_norms

Choose = Callable[[Tensor, Tensor, Tensor], tuple[Tensor | None, Tensor | None]]
"""Input (B, C, ...), mean and variance (C,) of training, to the mean and the variance to normalise with."""


def take_batch_statistics_(network: nn.Module) -> None:
    """From now on every batch normalisation takes the batch's own mean and variance; its gradient goes through them."""
    _choose(network, lambda x, mean, variance: (None, None))


def mix_batch_statistics_(network: nn.Module, prior: float) -> None:
    """From now on every batch normalisation takes N/(N+n) of training's statistics and n/(N+n) of the batch's.

    N: `prior`, n: samples in the batch; the batch's variance is the biased one, as in training. The statistics are
    constants: no gradient goes through them.
    """

    def mixed(x: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        axes = [0, *range(2, x.dim())]
        own = torch.var_mean(x.detach().to(mean.dtype), axes, correction=0)
        share = prior / (prior + len(x))
        return share * mean + (1 - share) * own[1], share * variance + (1 - share) * own[0]

    _choose(network, mixed)


def check_batch_norms(network: nn.Module, kind: str) -> None:
    """Raise BuildError where there are no statistics to take."""
    if not batch_norms(network):
        raise BuildError(
            f"{kind} changes the statistics of batch normalisation, and this network has none; "
            "give an encoder batch_norm: true, or use kind: plain"
        )


def _choose(network: nn.Module, choose: Choose) -> None:
    for module in batch_norms(network):
        assert module.running_mean is not None  # what batch_norms takes
        assert module.running_var is not None
        module.register_forward_pre_hook(_hook(module.running_mean, module.running_var, choose))


def _hook(mean: Tensor, variance: Tensor, choose: Choose) -> Callable[[Any, Any], None]:
    def hook(module: _BatchNorm, given: Any) -> None:
        (x,) = given
        several = x.numel() > x.shape[1]
        module.running_mean, module.running_var = choose(x, mean, variance) if several else (mean, variance)

    return hook
