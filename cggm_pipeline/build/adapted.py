"""What the stages of an adaptation leave on disk, and what they find of each other."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.build.statistics import FOLDER
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.epochs import DivergedError
from cggm_pipeline.spec import Experiment, dump
from cggm_pipeline.training.outputs import FAILED, HISTORY, SUMMARY, history_csv

TRAJECTORY = "trajectory.npz"
"""Of contrast: `trajectory` (K, N, ...) the predictions, `ids` (N,)."""
PSEUDO = "pseudo.npz"
"""Of pseudo: `instability` (N,), `selected` (k,) positions, `label` (N, ...) pseudo-labels, `ids` (N,)."""


def read_trajectory(seed: Path) -> Tensor:
    """The predictions that contrast kept. BuildError where they are missing or damaged."""
    path = seed / TRAJECTORY
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return torch.from_numpy(file["trajectory"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BuildError(
            f"{path}: error: it is missing or damaged ({error})\n  Run the stage contrast again: `dvc repro`"
        ) from error


def write_diverged(folder: Path, error: DivergedError) -> None:
    """What stands in the place of a seed whose adaptation had to stop: why, and the epochs until then."""
    failed = {"error": str(error), "step": None, "tensor": f"loss of {error.stage}", "modality": None}
    (folder / FAILED).write_text(json.dumps(failed, indent=2) + "\n", encoding="utf-8")
    (folder / HISTORY).write_text(history_csv(error.history), encoding="utf-8")


def carry_failure(source: Path, folder: Path) -> None:
    """Put into a seed's folder what an earlier stage says about its failure."""
    for name in (FAILED, HISTORY, SUMMARY):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def keep_documents(train: Path, folder: Path, experiment: Experiment) -> None:
    """Make a folder say what it is, as that of the training does: its spec, its data's document and manifests."""
    (folder / "experiment.yaml").write_text(dump(experiment), encoding="utf-8")
    for name in ("dataset.yaml", "manifest.json"):
        shutil.copyfile(train / name, folder / name)
    if (train / FOLDER).is_dir():
        shutil.copytree(train / FOLDER, folder / FOLDER)
