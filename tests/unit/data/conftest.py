"""Small datasets, made on the spot: a project folder with the digits, and raw data that a test writes down itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw, Value
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.spec.dataset import Dataset

DIGITS = {
    "version": 1,
    "kind": "dataset",
    "source": {"kind": "digits_two_view", "noise": 1.0, "rotation": 45.0},
    "split": {"kind": "stratified", "valid": 0.15, "test": 0.25, "seed": 0},
    "modalities": {"rotated": {"shape": [1, 8, 8]}, "noisy": {"shape": [1, 8, 8]}},
    "target": {"kind": "classes", "number": 10},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Listed(Raw):
    """Raw data that are already in memory: per modality one value per sample, None where it is absent."""

    def __init__(self, values: Mapping[str, Sequence[Value]], labels: Sequence[str], splits: Sequence[str]) -> None:
        self.values = values
        self.labels = labels
        self.splits = splits
        self.ids = [f"s{index}" for index in range(len(labels))]
        self.files = {}
        self.absent = {name: np.array([value is None for value in column]) for name, column in values.items()}

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        return {name: column[index] for name, column in self.values.items()}


@pytest.fixture(scope="session")
def listed() -> type[Listed]:
    return Listed


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Prepared]:
    """Write values as a prepared folder with two classes, and open it."""

    def make(forms: Mapping[str, Form], values: Mapping[str, Sequence[Value]], splits: Sequence[str]) -> Prepared:
        raw = Listed(values, [str(index % 2) for index in range(len(splits))], splits)
        target = np.array([int(label) for label in raw.labels])
        write(tmp_path / "prepared" / "listed", Content("listed", raw, forms, target, ("0", "1"), splits))
        return Prepared.open(tmp_path / "prepared" / "listed", verify=True)

    return make


@pytest.fixture(scope="session")
def digits_document() -> Dataset:
    return Dataset.model_validate(DIGITS)


@pytest.fixture(scope="session")
def digits_project(tmp_path_factory: pytest.TempPathFactory, digits_document: Dataset) -> Path:
    """A project folder in which the digits are prepared. Read only."""
    root = tmp_path_factory.mktemp("project")
    prepare(digits_document, "digits", root)
    return root


@pytest.fixture(scope="session")
def digits(digits_project: Path) -> Prepared:
    return Prepared.open(digits_project / "data" / "prepared" / "digits", verify=True)
