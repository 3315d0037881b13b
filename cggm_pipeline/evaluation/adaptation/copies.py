"""A copy of a network that adapts in its place: only what may change is copied, the rest is shared."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.norms import norm_parameters

N = TypeVar("N", bound=nn.Module)


def learning(network: nn.Module) -> list[nn.Parameter]:
    """What adaptation moves: scales and shifts of all normalisation layers but those of encoders that are frozen."""
    frozen = (module for module in network.modules() if getattr(module, "freeze", False))
    kept = {id(parameter) for module in frozen for parameter in module.parameters()}
    return [parameter for parameter in norm_parameters(network) if id(parameter) not in kept]


def adaptable(network: N) -> N:
    """A copy in eval mode in which what adaptation moves is its own and requires a gradient, and nothing else does.

    All other parameters share their memory with the network's; buffers are copied. Nothing that is done to the copy's
    normalisation layers, buffers, gradients or modes reaches the network.
    """
    own = {id(parameter) for parameter in learning(network)}
    shared = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False)
        for parameter in network.parameters()
        if id(parameter) not in own
    }
    copy = deepcopy(network, shared).eval()
    for parameter in learning(copy):
        parameter.requires_grad_()
    return copy


def only_learning_(network: nn.Module) -> list[nn.Parameter]:
    """From now on what adaptation moves requires a gradient, and nothing else does; what it moves."""
    network.requires_grad_(False)
    parameters = learning(network)
    for parameter in parameters:
        parameter.requires_grad_()
    return parameters


def check_learning(network: nn.Module, kind: str) -> None:
    """Raise BuildError where adaptation would move nothing."""
    if not learning(network):
        raise BuildError(
            f"{kind} moves the scales and shifts of normalisation layers, and this network has none that is not "
            "frozen; give an encoder some (batch_norm: true, kind: transformer), or use kind: plain"
        )
