"""The modulation from its spec. It gets the runtime values that its constructor names, and no others are built."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from cggm_pipeline.build.classifiers import build_classifiers
from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.errors import BuildError
from cggm_pipeline.modulations.base import Modulation, Parts
from cggm_pipeline.network import Network
from cggm_pipeline.schedules.base import Schedule
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.tasks.base import Task


def build_modulation(
    experiment: Experiment, network: Network, task: Task, *, seed: int, device: torch.device | str = "cpu"
) -> Modulation:
    """The method that is really run (`spec.effective()`), with classifiers of its own if it asks for them."""
    spec = experiment.modulation.effective()
    with at("modulation"):
        _check_fit(spec, experiment, network)
    runtime: Mapping[str, Callable[[], Any]] = {
        "parts": lambda: build_parts(network),
        "encoders": lambda: dict(network.encoders.items()),
        "modules": network.owned,
        "classifiers": lambda: build_classifiers(experiment, network, task, seed=seed, device=device),
        "head": lambda: network.head,
        "fusion": lambda: network.fusion,
        "loss": lambda: task.loss,
        "score": lambda: task.score,
    }
    kind = implementation(TABLES["modulations"][spec.kind])
    with at("modulation"):
        modulation: Modulation = kind(*[runtime[name]() for name in positional(kind)], **spec.arguments())
    return modulation.to(device)


def _check_fit(spec: Any, experiment: Experiment, network: Network) -> None:
    if experiment.task.kind not in spec.tasks:
        allowed = ", ".join(sorted(spec.tasks))
        raise BuildError(f"{spec.kind} is not defined for {experiment.task.kind} (allowed: {allowed})")
    if len(network.modalities) < spec.min_modalities:
        raise BuildError(
            f"{spec.kind} balances {spec.min_modalities} modalities or more, but the network has "
            f"{len(network.modalities)}; add modalities or use kind: none"
        )
    if spec.max_modalities is not None and len(network.modalities) > spec.max_modalities:
        raise BuildError(
            f"{spec.kind} balances at most {spec.max_modalities} modalities, but the network has "
            f"{len(network.modalities)}; select some with use:"
        )


def build_schedule(experiment: Experiment, network: Network) -> Schedule:
    """Which samples and modalities an epoch takes, and whose turn a step is."""
    spec = experiment.schedule
    with at("schedule"):
        schedule: Schedule = implementation(TABLES["schedules"][spec.kind])(network.modalities, **spec.arguments())
    return schedule


def positional(kind: type) -> tuple[str, ...]:
    """The names of the runtime values that a constructor takes, in order."""
    parameters = inspect.signature(kind).parameters.values()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def trainable(module: nn.Module) -> bool:
    """Whether any parameter of the module learns."""
    return any(parameter.requires_grad for parameter in module.parameters())


def build_parts(network: Network) -> Parts:
    """Each modality's trainable parameters; a modality without any is a BuildError."""
    owned = network.owned()
    for name, module in owned.items():
        if not trainable(module):
            raise BuildError(
                f"modality '{name}' has a frozen encoder, and no part of an adapter, so nothing of it can be balanced"
            )
    return Parts(owned)
