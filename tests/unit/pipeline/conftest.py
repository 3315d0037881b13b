"""Small projects, written afresh for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

DATASET = """version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
EXPERIMENT = """version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: conv, channels: [4]}}
  noisy: {encoder: {kind: mlp, hidden: [8]}, transforms: [{kind: noise, std: 0.1}]}
fusion: {kind: concat, width: 8}
task: {kind: classification, loss: {kind: cross_entropy}}
training: {epochs: 2, batch_size: 64}
seeds: [0]
"""
TABLE = """version: 1
kind: table
title: "Zwei ${sichten} # \\"quoted\\""
base: experiments/joint.yaml
baseline: Joint
seeds: [0, 1]
rows:
  Alone: {use: [rotated]}
  Joint: {}
  OGM-GE: {modulation: {kind: ogm_ge}}
  CGGM (paper): {modulation: {kind: cggm, preset: paper}}
"""
OWN_DATASET = """version: 1
kind: dataset
source:
  kind: table
  path: PATH
  columns: {left: {columns: [a, b], type: numbers}, right: {columns: [c], type: numbers}}
  target: y
split: {kind: random}
modalities:
  left: {shape: [2]}
  right: {shape: [1]}
target: {kind: classes, number: 2}
"""
OWN_EXPERIMENT = """version: 1
kind: experiment
data: own
modalities:
  left: {encoder: {kind: mlp, hidden: [8]}}
  right: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: sum, width: 8}
task: {kind: classification}
training: {epochs: 2}
"""


def write_specs(root: Path, files: dict[str, str]) -> Path:
    """A project's specs, and the empty stage scripts that its stages name."""
    for name, text in files.items():
        path = root / "specs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "stages").mkdir(exist_ok=True)
    for stage in ("prepare", "features", "shift", "train", "contrast", "pseudo", "evaluate", "report", "rank"):
        (root / "stages" / f"{stage}.py").write_text("")
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One dataset, one table with four rows; it uses the installed package."""
    return write_specs(
        tmp_path,
        {"datasets/digits.yaml": DATASET, "experiments/joint.yaml": EXPERIMENT, "tables/digits.yaml": TABLE},
    )
