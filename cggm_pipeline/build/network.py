"""A whole experiment's torch objects from its spec: network, task, modulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.build.encoders import build_encoder
from cggm_pipeline.build.lengths import Lengths
from cggm_pipeline.build.modulation import build_modulation, positional, trainable
from cggm_pipeline.build.place import at
from cggm_pipeline.build.pretrained import Pretrained
from cggm_pipeline.build.seeding import drawn_from
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.build.task import build_task
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.copies import check_learning
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.modulations.base import Modulation, Parts
from cggm_pipeline.network import Network
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.tasks.base import Task


@dataclass(frozen=True)
class Built:
    """What an experiment trains. `parts`: the trainable parameters of each modality that has any. `predictor`: how the
    network is asked, in validation and afterwards.
    """

    network: Network
    task: Task
    modulation: Modulation
    parts: Parts
    predictor: Predictor


def build_network(
    experiment: Experiment,
    dataset: Dataset,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    class_counts: Sequence[int] | None = None,
    pretrained: Pretrained | None = None,
) -> Built:
    """Network, task and modulation on `device` ("meta": shapes only).

    Parameters are drawn on the CPU from (seed, module name): the same on every device, in every order of modalities
    and under every modulation. `class_counts`: training samples per class, for balanced class weights. `pretrained`:
    the weights that the network starts from, before it is adapted. Raises BuildError with the spec key.
    """
    task = build_task(experiment, dataset, device=device, class_counts=class_counts)
    with torch.device("meta" if torch.device(device).type == "meta" else "cpu"):
        encoders = _encoders(experiment, dataset, seed)
        lengths = Lengths(encoders, experiment, dataset)
        network = _network(experiment, encoders, lengths, task, seed)
        if pretrained is not None:
            pretrained.put_(network)
        _adapt(experiment, network, lengths, seed)
    network.to(device)
    modulation = build_modulation(experiment, network, task, seed=seed, device=device)
    parts = Parts({name: module for name, module in network.owned().items() if trainable(module)})
    return Built(network, task, modulation, parts, _predictor(experiment, network, task))


def _predictor(experiment: Experiment, network: Network, task: Task) -> Predictor:
    spec, runtime = experiment.prediction, {"task": task}
    kind = implementation(TABLES["predictors"][spec.kind])
    with at("prediction"):
        predictor: Predictor = kind(*[runtime[name] for name in positional(kind)], **spec.arguments())
        predictor.check(network)
    if experiment.adaptation.stages:
        with at("adaptation"):
            check_learning(network, experiment.adaptation.kind)
    return predictor


def _encoders(experiment: Experiment, dataset: Dataset, seed: int) -> dict[str, Encoder]:
    return {
        name: build_encoder(name, modality, experiment.data, dataset, seed=seed)
        for name, modality in sorted(experiment.used().items())
    }


def _network(experiment: Experiment, encoders: dict[str, Encoder], lengths: Lengths, task: Task, seed: int) -> Network:
    widths = {name: _width(encoder) for name, encoder in encoders.items()}
    runtime: Mapping[str, Callable[[], Any]] = {"widths": lambda: widths, "lengths": lambda: lengths}
    kind = implementation(TABLES["fills"][experiment.fill.kind])
    given = [runtime[name]() for name in positional(kind)]
    with at("fill"), drawn_from(seed, "fill"):
        fill = kind(*given, **experiment.fill.arguments())
    fusion = _fusion(experiment, encoders, widths, seed)
    with drawn_from(seed, "head"):
        head = fusion.head(task.out_features)
    return Network(encoders, fill, fusion, head)


def _adapt(experiment: Experiment, network: Network, lengths: Lengths, seed: int) -> None:
    """What of the network learns, and what is added to it."""
    spec = experiment.adapter
    adapter: Adapter = implementation(TABLES["adapters"][spec.kind])(**spec.arguments())
    with at("adapter"), drawn_from(seed, "adapter"):
        adapter(network, lengths)


def _width(encoder: Encoder) -> int | tuple[int, ...]:
    return tuple(encoder.widths) if encoder.layout == "pyramid" else encoder.widths[0]


def _fusion(
    experiment: Experiment, encoders: dict[str, Encoder], widths: dict[str, int | tuple[int, ...]], seed: int
) -> Fusion:
    kind = implementation(TABLES["fusions"][experiment.fusion.kind])
    for name, encoder in encoders.items():
        if encoder.layout not in kind.accepts:
            allowed = ", ".join(sorted(kind.accepts))
            raise BuildError(
                f"fusion: {experiment.fusion.kind} cannot take the {encoder.layout} features of '{name}' "
                f"(it takes: {allowed}); change modalities.{name}.encoder.output or the fusion"
            )
    tasks = experiment.fusion.tasks
    if tasks is not None and experiment.task.kind not in tasks:
        message = f"{experiment.fusion.kind} is not defined for {experiment.task.kind}"
        raise BuildError(f"fusion: {message} (allowed: {', '.join(sorted(tasks))})")
    with at("fusion"), drawn_from(seed, "fusion"):
        fusion: Fusion = kind(widths, **experiment.fusion.arguments())
    return fusion
