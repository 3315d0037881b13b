"""The per-modality classifiers: by the layout of a modality's features, or the network's decoder where z is a map."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from cggm_pipeline.build.place import at
from cggm_pipeline.build.seeding import drawn_from
from cggm_pipeline.build.tables import CLASSIFIERS, TABLES, implementation
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.network import Network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.tasks.base import Task


def build_classifiers(
    experiment: Experiment, network: Network, task: Task, *, seed: int, device: torch.device | str = "cpu"
) -> dict[str, nn.Module]:
    """One classifier per modality, drawn from (seed, `classifiers.<modality>`).

    Classifier i ends in a head as wide as its block of z where the fusion concatenates, otherwise as wide as z.
    """
    classifiers: dict[str, nn.Module] = {}
    for name, encoder in network.encoders.items():
        with at(f"classifiers ({name})"), drawn_from(seed, f"classifiers.{name}"), torch.device(_start(device)):
            made = _decoder if network.fusion.dense else _reader
            classifiers[name] = made(experiment, network, task, name, encoder).to(device)
    return classifiers


def _decoder(experiment: Experiment, network: Network, task: Task, name: str, encoder: Encoder) -> nn.Module:
    """The network's own kind of decoder over one modality alone."""
    kind = implementation(TABLES["fusions"][experiment.fusion.kind])
    reads = implementation(CLASSIFIERS["map"])
    classifier: nn.Module = reads(kind({reads.own: encoder.widths}, **experiment.fusion.arguments()), task.out_features)
    return classifier


def _reader(experiment: Experiment, network: Network, task: Task, name: str, encoder: Encoder) -> nn.Module:
    """The classifier for features of this layout."""
    blocks = network.fusion.blocks
    kind = implementation(CLASSIFIERS[encoder.layout])
    keywords = {p.name for p in inspect.signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY}
    options = {key: value for key, value in experiment.classifiers.model_dump().items() if key in keywords}
    head_width = network.fusion.width if blocks is None else blocks[name].stop - blocks[name].start
    classifier: nn.Module = kind(encoder.widths[-1], head_width, task.out_features, **options)
    return classifier


def _start(device: torch.device | str) -> str:
    """Where modules are drawn: always on the CPU, so that every device starts from the same bits; or on meta."""
    return "meta" if torch.device(device).type == "meta" else "cpu"
