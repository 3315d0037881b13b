"""`cggm rank`: a ranking without DVC, and what it says where something is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import SpecError
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import ranking_record
from cggm_pipeline.spec import Project
from cggm_pipeline.spec.resolved import dump_data

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
  rotated: {encoder: {kind: mlp, hidden: [8]}}
  noisy: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: concat, width: 8}
task: {kind: classification}
training: {epochs: 2}
"""
TABLE = """version: 1
kind: table
title: TITLE
base: experiments/joint.yaml
rows: {Joint: {}, OGM-GE: {modulation: {kind: ogm_ge}}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    documents = {
        "datasets/digits": DATASET,
        "experiments/joint": EXPERIMENT,
        "tables/open/a": TABLE.replace("TITLE", "Table A"),
        "tables/open/b": TABLE.replace("TITLE", "Table B"),
        "rankings/both": "version: 1\nkind: ranking\ntables: [open/a, open/b]\n",
    }
    for name, text in documents.items():
        path = tmp_path / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = read_documents(Project(tmp_path))
    resolved = tmp_path / "specs/resolved/rankings/both.yaml"
    resolved.parent.mkdir(parents=True)
    resolved.write_text(dump_data(ranking_record(found.rankings[0], found)))
    for table, mean in (("a", 0.5), ("b", 0.25)):
        path = tmp_path / "runs/open" / table / "metrics.json"
        path.parent.mkdir(parents=True)
        rows = {"joint": mean, "ogm-ge": mean + 0.125}
        path.write_text(json.dumps({row: {"test": {"n": 1, "accuracy": {"mean": one}}} for row, one in rows.items()}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_prints_the_ranks_and_writes_the_files(project: Path) -> None:
    done = CliRunner().invoke(cggm, ["rank", "both"], catch_exceptions=False)
    lines = done.output.splitlines()
    assert lines[1].split() == ["OGM-GE", "1.00", "62.5", "(1)", "37.5", "(1)"]
    assert lines[2].split() == ["Joint", "2.00", "50.0", "(2)", "25.0", "(2)"]
    assert lines[-1] == "open runs/rankings/both/ranking.html"
    assert "Table A: Accuracy" in (project / "runs/rankings/both/ranking.md").read_text()


def test_a_name_that_is_none_is_answered_with_the_nearest(project: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'both'"):
        CliRunner().invoke(cggm, ["rank", "bofh"], catch_exceptions=False)


def test_help_lists_the_command() -> None:
    assert "rank" in CliRunner().invoke(cggm, ["--help"]).output
