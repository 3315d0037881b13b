"""A small project with two prepared datasets, and a row of a table that is trained."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cggm_pipeline.build.data import prepare
from cggm_pipeline.build.train import train
from cggm_pipeline.spec import Project, dump, load_dataset, load_experiment

DIGITS = """\
version: 1
kind: dataset
source: {kind: digits_two_view, noise: 1.0, rotation: 45}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
SMALL = """\
version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: mlp, hidden: [16]}, transforms: [{kind: normalise}]}
  noisy: {encoder: {kind: mlp, hidden: [16]}}
fusion: {kind: concat, width: 16}
task: {kind: classification, loss: {kind: cross_entropy, class_weights: balanced}}
modulation: {kind: cggm, preset: stable}
training: {epochs: 2, batch_size: 64, optimizer: {kind: adam, lr: 5.0e-3}}
seeds: [0, 1]
"""
POINTS = """\
version: 1
kind: dataset
source:
  kind: table
  path: points.csv
  columns:
    where: {columns: [x, y], type: numbers}
    when: {columns: [t], type: numbers}
  target: side
  id: name
split: {kind: stratified, valid: 0.2, test: 0.2, seed: 0}
modalities:
  where: {shape: [2]}
  when: {shape: [1]}
target: {kind: classes, number: 2, names: [left, right]}
"""
SIDES = """\
version: 1
kind: experiment
data: points
modalities:
  where: {encoder: {kind: mlp, hidden: [8]}, transforms: [{kind: normalise}]}
  when: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: concat, width: 8}
task: {kind: classification, loss: {kind: cross_entropy}}
training: {epochs: 25, batch_size: 32, optimizer: {kind: adam, lr: 2.0e-2}}
"""


def write_points(path: Path, number: int, *, target: bool = True) -> None:
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "x", "y", "t", *(["side"] if target else [])])
        for index in range(number):
            x, y, t = random.normal(size=3) * 3
            writer.writerow(
                [f"p{index}", x, y, "" if index % 7 == 0 else t, *(["left" if x < 0 else "right"] * target)]
            )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project per file of tests: no file meets what another one left in it."""
    root = tmp_path_factory.mktemp("project")
    documents = {
        "datasets/digits": DIGITS,
        "datasets/points": POINTS,
        "experiments/small": SMALL,
        "experiments/sides": SIDES,
    }
    for name, text in documents.items():
        path = root / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_points(root / "points.csv", 200)
    for name in ("digits", "points"):
        prepare(load_dataset(name, Project(root)).spec, name, root)
    return root


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGGM_WORKERS", "1")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")


@pytest.fixture(scope="module")
def trained(project: Path) -> Path:
    """A trained row, runs/table/small, and its resolved documents."""
    os.environ["CGGM_WORKERS"] = "1"
    spec = load_experiment("small", Project(project)).spec
    train(spec, project / "runs/table/small", key="table", project=project)
    resolved = project / "specs/resolved"
    for path, text in (
        ("tables/table.yaml", "order: [small]\nmetric: null\n"),
        ("table/small.yaml", dump(spec)),
        ("datasets/digits.yaml", dump(load_dataset("digits", Project(project)).spec)),
    ):
        (resolved / path).parent.mkdir(parents=True, exist_ok=True)
        (resolved / path).write_text(text)
    return project / "runs/table/small"


@pytest.fixture
def invoke(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call a command of `cggm` inside the project; errors are raised."""
    monkeypatch.chdir(project)
    return lambda command, *arguments: CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="session")
def new_points() -> Callable[..., None]:
    """A function that writes points without targets to a CSV."""
    return lambda path, number: write_points(path, number, target=False)
