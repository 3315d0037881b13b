"""What a finished seed leaves behind: weights, history, summary; or the reason why it stopped. All of it deterministic.

Times and memory are apart, in `cost.json`, because they differ from run to run.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from cggm_pipeline.training.fit import Fitted
from cggm_pipeline.training.watch import NotFiniteError
from cggm_pipeline.whole import sync, write_whole

WEIGHTS, HISTORY, SUMMARY, FAILED, COST = "model.safetensors", "history.csv", "summary.json", "failed.json", "cost.json"
METADATA = "cggm"


def write_finished(
    folder: Path, fitted: Fitted, *, metadata: Mapping[str, str], summary: Mapping[str, Any], device: str
) -> None:
    """Write the seed's folder whole: weights of the selected epoch, history, summary, and beside it the cost."""
    files = {
        WEIGHTS: weights_file(fitted.network, metadata),
        HISTORY: history_csv(fitted.history).encode(),
        SUMMARY: _json({"status": "finished", **summary}),
    }
    _write_folder(folder, files)
    cost = {"seconds": fitted.seconds, "steps": fitted.steps, "step_seconds": fitted.step_seconds or None}
    _write_cost(folder, {**cost, "memory": fitted.memory, "device": device})


def write_failed(folder: Path, error: NotFiniteError, *, summary: Mapping[str, Any], device: str) -> None:
    """Write the seed's folder of a training that had to stop: why, and the epochs until then."""
    failed = {
        "error": f"{error.tensor} is not finite",
        "step": error.step,
        "tensor": error.tensor,
        "modality": error.modality,
    }
    files = {FAILED: _json(failed), SUMMARY: _json({"status": "failed", **summary})}
    files[HISTORY] = history_csv(error.history).encode()
    _write_folder(folder, files)
    cost = {"seconds": error.seconds, "steps": error.step + 1, "step_seconds": None, "memory": None}
    _write_cost(folder, {**cost, "device": device})


def weights_file(network: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """The content of a weights' file: what the network remembers, and what it belongs to."""
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    # one entry, because safetensors writes several in no fixed order and equal runs must give equal bytes
    return safetensors.torch.save(weights, {METADATA: json.dumps(dict(metadata), sort_keys=True)})


def history_csv(history: Sequence[Mapping[str, float]]) -> str:
    """One row per epoch, the columns of all rows in order of appearance; `epoch` counts from 0."""
    columns = list(dict.fromkeys(name for row in history for name in row)) or ["epoch"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in history)
    return text.getvalue()


def module_parameters(module: nn.Module, *, trainable: bool = False) -> int:
    """The number of a module's parameters; `trainable`: of those that learn."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad or not trainable)


def _write_cost(folder: Path, cost: Mapping[str, Any]) -> None:
    """Beside the folder: seconds in the loop and per step, peak bytes, and where. Differs from run to run."""
    write_whole(folder.parent / COST, _json(cost))


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """All files or none: written beside the folder, then renamed."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    for name, content in files.items():
        write_whole(temporary / name, content)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    sync(folder.parent)


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
