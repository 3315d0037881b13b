"""Normalisation layers of a network: which they are, and their scales and shifts."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Torch's own, which the layers of other packages derive from: batch, instance, layer, group and RMS normalisation."""


def norms(network: nn.Module) -> list[nn.Module]:
    """Every normalisation layer, in the network's order."""
    return [module for module in network.modules() if isinstance(module, NORMS)]


def norm_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Their scales and shifts, each once; none of those that have none."""
    found = (parameter for module in norms(network) for parameter in module.parameters(recurse=False))
    return list({id(parameter): parameter for parameter in found}.values())


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Every batch normalisation that carries running statistics."""
    found = (module for module in network.modules() if isinstance(module, _BatchNorm))
    return [module for module in found if module.running_mean is not None]
