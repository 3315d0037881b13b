"""A trained network's weights: written with what they belong to, and refused under any other spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network
from cggm_pipeline.spec import Dataset, Experiment
from cggm_pipeline.spec.stamp import digest
from cggm_pipeline.training.outputs import METADATA


def network_digest(experiment: Experiment, dataset: Dataset) -> str:
    """Sixteen hex digits of everything that decides which network a spec means, and how its inputs are made."""
    used = experiment.used()
    parts = {
        "modalities": {name: modality.model_dump(mode="json") for name, modality in sorted(used.items())},
        "shapes": {name: dataset.modalities[name].model_dump(mode="json") for name in sorted(used)},
        "target": dataset.target.model_dump(mode="json"),
        "fill": experiment.fill.model_dump(mode="json"),
        "fusion": experiment.fusion.model_dump(mode="json"),
        "task": experiment.task.model_dump(mode="json"),
        "data": experiment.data,
    }
    return digest(parts)


def load_weights(network: Network, path: Path, expected: str) -> dict[str, Any]:
    """Put the weights of `path` into the network; returns the file's metadata.

    Raises BuildError where the file is missing or damaged, or belongs to another spec than `expected`, a
    `network_digest`.
    """
    if not path.is_file():
        raise BuildError(
            f"{path}: error: there are no trained weights\n  Train first: `dvc repro`, or `cggm train SPEC`"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, Any] = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            found = metadata.get("network")
            if found == expected:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise BuildError(
            f"{path}: error: not a sound safetensors file ({error})\n  Delete it and train again"
        ) from error
    if found != expected:
        raise BuildError(
            f"{path}: error: these weights belong to another spec (network {found}, the spec says {expected})\n"
            "  Train again: `dvc repro`, or `cggm train SPEC`"
        )
    _load(network, tensors, path)
    return metadata


def _load(network: Network, tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BuildError(f"{path}: error: the weights do not fit the network: {error}\n  Train again") from error
