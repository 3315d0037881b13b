"""A small real problem: two views of scikit-learn's digits, prepared on disk, and everything a training needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from cggm_pipeline.classifiers.vector import VectorClassifier
from cggm_pipeline.data.batches import Resident
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.modulations.base import Modulation, Parts
from cggm_pipeline.modulations.cggm import CGGM
from cggm_pipeline.modulations.none import NoModulation
from cggm_pipeline.modulations.ogm_ge import OGMGE
from cggm_pipeline.modulations.unimodal_losses import UnimodalLosses
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.classification import Classification
from cggm_pipeline.training.optimizers import adam
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.schedules import constant

SAMPLES = {"train": 200, "valid": 60, "test": 60}


class Halves(Raw):
    """The digits' upper and lower halves as two modalities."""

    def __init__(self) -> None:
        pixels, target = load_digits(return_X_y=True)
        number = sum(SAMPLES.values())
        self.pixels, self.target = pixels[:number].astype(np.float32) / 16, target[:number]
        self.ids = [f"{index:04d}" for index in range(number)]
        self.labels = [str(label) for label in self.target]
        self.files = {}

    def sample(self, index, members):
        return {"lower": self.pixels[index, 32:], "upper": self.pixels[index, :32]}


def write_halves(folder: Path) -> Path:
    raw = Halves()
    splits = [name for name, number in SAMPLES.items() for _ in range(number)]
    forms = {name: Form((32,), "float32") for name in ("lower", "upper")}
    write(folder, Content("halves", raw, forms, raw.target.astype(np.int64), [str(k) for k in range(10)], splits))
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared.open(write_halves(tmp_path_factory.mktemp("prepared") / "halves"))


@dataclass
class Problem:
    network: Network
    task: Classification
    modulation: Modulation
    train: Resident
    valid: Resident
    test: Resident
    options: Options

    def arguments(self) -> tuple:
        return self.network, self.task, self.modulation, self.train, self.valid, self.options

    def options_with(self, **changes) -> Problem:
        return replace(self, options=replace(self.options, **changes))


def make_modulation(name: str, network: Network, task: Classification) -> Modulation:
    parts = Parts(dict(network.encoders.items()))
    classifiers = {key: VectorClassifier(16, network.fusion.width, 10) for key in network.modalities}
    made = {
        "none": lambda: NoModulation(),
        "unimodal_losses": lambda: UnimodalLosses(classifiers, task.loss),
        "ogm_ge": lambda: OGMGE(parts, network.head, alpha=0.8),
        **{
            f"cggm-{preset}": lambda preset=preset: CGGM(
                parts, classifiers, network.head, task.loss, task.score, preset=preset
            )
            for preset in ("paper", "released", "stable")
        },
    }
    return made[name]()


def make_problem(
    prepared: Prepared, modulation: str = "none", *, dropout: float = 0.2, batch_norm: bool = False, **changes
) -> Problem:
    torch.manual_seed(0)
    encoders = {name: MLP((32,), hidden=[16], dropout=dropout, batch_norm=batch_norm) for name in ("lower", "upper")}
    fusion = Concat({"lower": 16, "upper": 16}, width=12)
    network = Network(encoders, Zeros({"lower": 16, "upper": 16}), fusion, nn.Linear(12, 10))
    task = Classification(10)
    splits = {name: Resident(prepared.split(name)) for name in SAMPLES}
    options = Options(
        **{
            "epochs": 3,
            "batch_size": 32,
            "optimizer": lambda groups: adam(groups, lr=5e-3),
            "scheduler": lambda optimizer, epochs: constant(optimizer, epochs),
            "metric": "accuracy",
            "mode": "max",
            "clip": 0.8,
            "device": "cpu",
            **changes,
        }
    )
    return Problem(network, task, make_modulation(modulation, network, task), **splits, options=options)


@pytest.fixture
def problem(prepared: Prepared) -> Callable[..., Problem]:
    """A function from the name of a modulation, and changed options, to everything `fit` takes."""
    return lambda modulation="none", **changes: make_problem(prepared, modulation, **changes)
