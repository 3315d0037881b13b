"""The per-modality classifiers, by the layout of each modality's features."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from cggm_pipeline.build.place import at
from cggm_pipeline.build.seeding import drawn_from
from cggm_pipeline.build.tables import CLASSIFIERS, implementation
from cggm_pipeline.network import Network
from cggm_pipeline.spec.modulations import Classifiers
from cggm_pipeline.tasks.base import Task


def build_classifiers(
    spec: Classifiers, network: Network, task: Task, *, seed: int, device: torch.device | str = "cpu"
) -> dict[str, nn.Module]:
    """One classifier per modality, drawn from (seed, `classifiers.<modality>`).

    Classifier i ends in a head as wide as its block of z where the fusion concatenates, otherwise as wide as z.
    """
    blocks = network.fusion.blocks
    classifiers: dict[str, nn.Module] = {}
    for name, encoder in network.encoders.items():
        kind = implementation(CLASSIFIERS[encoder.layout])
        keywords = {p.name for p in inspect.signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY}
        options = {key: value for key, value in spec.model_dump().items() if key in keywords}
        width = encoder.widths[-1]
        head_width = network.fusion.width if blocks is None else blocks[name].stop - blocks[name].start
        with at(f"classifiers ({name})"), drawn_from(seed, f"classifiers.{name}"), torch.device(_start(device)):
            classifiers[name] = kind(width, head_width, task.out_features, **options).to(device)
    return classifiers


def _start(device: torch.device | str) -> str:
    """Where modules are drawn: always on the CPU, so that every device starts from the same bits; or on meta."""
    return "meta" if torch.device(device).type == "meta" else "cpu"
