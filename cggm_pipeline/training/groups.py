"""Parameter groups: the network, one group per modality, and the classifiers' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.network import Network

CLASSIFIERS = "classifiers"


def parameter_groups(
    network: Network, modulation: Modulation, classifiers: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Torch's parameter groups, each with `owner` ("network", "modality" or "classifiers") and `modality` (or None).

    Every trainable parameter stands in exactly one group; groups without any are left out. A modality's group is what
    `Modulation.rates` acts on: its encoder, and its own part of an adapter. `classifiers` overrides the optimiser's
    values for the classifiers' group, and may say `scheduled: False`.
    """
    groups: list[dict[str, Any]] = [
        {"params": _trainable(module), "owner": "modality", "modality": name}
        for name, module in network.owned().items()
    ]
    owned = {id(parameter) for group in groups for parameter in group["params"]}
    rest = [parameter for parameter in _trainable(network) if id(parameter) not in owned]
    groups.insert(0, {"params": rest, "owner": "network", "modality": None})
    groups.append({"params": _trainable(modulation), "owner": CLASSIFIERS, "modality": None, **classifiers})
    return [group for group in groups if group["params"]]


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
