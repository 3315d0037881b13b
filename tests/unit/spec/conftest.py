"""A small project to write specs into, and what `cggm validate` finds in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.examine import examine
from cggm_pipeline.spec.project import Project

MOSI = """\
version: 1
kind: dataset
source:
  kind: table
  path: data/raw/mosi/mosi.csv
  columns:
    text: {columns: [text], type: npy}
    audio: {columns: [audio], type: npy}
    vision: {columns: [vision], type: npy}
  target: label
  split: split
split: {kind: published}
modalities:
  audio: {shape: [50, 5]}
  text: {shape: [50, 300]}
  vision: {shape: [50, 20]}
target: {kind: classes, number: 3}
"""

CGGM = """\
version: 1
kind: experiment
data: mosi
modalities:
  audio: {encoder: {kind: transformer, width: 40, heads: 5}}
  text: {encoder: {kind: transformer, width: 40, heads: 5}}
fusion: {kind: transformer, heads: 5}
task: {kind: classification}
modulation: {kind: cggm, preset: paper}
training: {epochs: 30, optimizer: {kind: adam, lr: 1e-3}}
"""

TABLE = """\
version: 1
kind: table
base: experiments/cggm.yaml
rows:
  Joint: {modulation: {kind: none}}
  CGGM: {}
seeds: [0, 1]
"""


class Desk:
    """Writes specs into a temporary project, each with the fault that a test is about."""

    good = CGGM

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes) -> Path:
        """A file below specs/."""
        path = self.root / "specs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def problems(self, name: str, content: str | bytes | None = None) -> list[Problem]:
        """What is wrong with a file, in the order of its lines."""
        path = self.root / "specs" / name if content is None else self.write(name, content)
        found = dict.fromkeys(examine(path, Project(self.root)))
        return sorted(found, key=lambda problem: (problem.file, problem.line, problem.column))

    def experiment(self, old: str = "", new: str = "", text: str = CGGM) -> list[Problem]:
        """The problems of the good experiment with one change."""
        assert old in text
        return self.problems("experiments/x.yaml", text.replace(old, new, 1))

    def dataset(self, old: str, new: str) -> list[Problem]:
        """The problems of the good dataset with one change."""
        assert old in MOSI
        return self.problems("datasets/mosi.yaml", MOSI.replace(old, new, 1))

    def table(self, old: str, new: str) -> list[Problem]:
        """The problems of the good table with one change."""
        assert old in TABLE
        return self.problems("tables/mosi.yaml", TABLE.replace(old, new, 1))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project with a good dataset, experiment and table; the working folder is its root."""
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path)
    made.write("datasets/mosi.yaml", MOSI)
    made.write("experiments/cggm.yaml", CGGM)
    made.write("tables/mosi.yaml", TABLE)
    return made
