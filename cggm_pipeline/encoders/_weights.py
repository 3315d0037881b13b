"""Weight files of pretrained encoders: inside the project, and never anything that runs code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cggm_pipeline.errors import BuildError

INDEX = "model.safetensors.index.json"
"""Where a model is in several files: which of them has which tensor."""


def weight_file(field: str, path: str, otherwise: str) -> Path:
    """The absolute path of a file below the working directory; BuildError with `otherwise` where there is none."""
    found = (Path.cwd() / path).resolve()
    if not found.is_relative_to(Path.cwd().resolve()):
        raise BuildError(f"{field}: {path} leaves the project; copy the weights into it")
    if not found.is_file():
        raise BuildError(f"{field}: {path} does not exist; {otherwise}")
    return found


def read_weights(field: str, path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file read with weights_only (plain, or below `state_dict`)."""
    try:
        read = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BuildError(f"{field}: {path.name} is not a sound file of weights ({reason})") from error
    state = read.get("state_dict", read) if isinstance(read, dict) else read
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise BuildError(f"{field}: {path.name} holds no mapping of names to tensors; save the encoder's state_dict")
    return {str(name): value for name, value in state.items()}


def check_folder(folder: Path, name: str) -> None:
    """BuildError where a file of a transformers model leads out of the project, or its list names no safetensors."""
    for file in folder.iterdir():
        if not file.resolve().is_relative_to(Path.cwd().resolve()):
            raise BuildError(f"model: {name}/{file.name} leaves the project through a link; put the file itself there")
    index = folder / INDEX
    parts = _parts(index) if index.is_file() else set()
    strange = sorted(part for part in parts if Path(part).name != part or not part.endswith(".safetensors"))
    if strange:
        raise BuildError(
            f"model: {name}/{index.name} names {strange[0][:100]!r}, which is no safetensors file beside it (pickled "
            "weights are not read); save the model there with save_pretrained"
        )


def _parts(index: Path) -> set[str]:
    """The files that a list of parts names; none where it is no such list, which transformers says itself."""
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
    return set(map(str, found))
