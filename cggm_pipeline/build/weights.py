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

UNTRACKED = frozenset({"version", "kind", "description", "seeds", "use", "modalities", "adaptation", "evaluation"})
"""Sections that change no seed's training; of the modalities those in use are taken one by one."""


def spec_digest(experiment: Experiment, dataset: Dataset) -> str:
    """Sixteen hex digits of everything in the documents that decides a seed's weights: network, data, training.

    The code is not part of it: where a change of code changes no weight, the weights' file stays the same.
    """
    used = sorted(experiment.used())
    shapes = {name: dataset.modalities[name].model_dump(mode="json") for name in used}
    return digest(
        {
            **experiment.model_dump(mode="json", exclude=set(UNTRACKED)),
            "modalities": {name: experiment.modalities[name].model_dump(mode="json") for name in used},
            "dataset": {"modalities": shapes, "target": dataset.target.model_dump(mode="json")},
        }
    )


def load_weights(network: Network, path: Path, expected: str) -> dict[str, Any]:
    """Put the weights of `path` into the network; returns the file's metadata. Raises BuildError as `read_weights`."""
    tensors, metadata = read_weights(path, expected)
    _load(network, tensors, path)
    return metadata


def read_weights(path: Path, expected: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors of a weights' file, by name, and its metadata.

    Raises BuildError where the file is missing or damaged, or belongs to another spec than `expected`, a
    `spec_digest`.
    """
    if not path.is_file():
        raise BuildError(
            f"{path}: error: there are no trained weights\n  Train first: `dvc repro`, or `cggm train SPEC`"
        )
    tensors: dict[str, torch.Tensor] = {}
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, Any] = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            found = metadata.get("spec")
            if found == expected:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise BuildError(
            f"{path}: error: not a sound safetensors file ({error})\n  Delete it and train again"
        ) from error
    if found != expected:
        raise BuildError(
            f"{path}: error: these weights belong to another spec (digest {found}, this spec has {expected})\n"
            "  Train again: `dvc repro`, or `cggm train SPEC`"
        )
    return tensors, metadata


def _load(network: Network, tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BuildError(f"{path}: error: the weights do not fit the network: {error}\n  Train again") from error
