"""Weight files of pretrained encoders: inside the project, and never anything that runs code."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cggm_pipeline.errors import BuildError


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
