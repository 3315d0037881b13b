"""Contributions and missing modalities in the report, and the warnings of histories."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError
from cggm_pipeline.report import write
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.missing import grids
from cggm_pipeline.report.specs import read_table

VALUES = {"": 0.1, "noisy": 0.3, "rotated": 0.7, "noisy+rotated": 0.8}


@pytest.fixture
def scored(written):
    """Every test score of one row has its subsets."""
    for score in written.scores:
        if score["row"] == "joint" and score["split"] == "test":
            score["subsets"] = {kept: {"accuracy": value} for kept, value in VALUES.items()}
    written.put("runs/digits/evaluation/seeds.json", json.dumps(written.scores))
    return written


def test_two_grids_in_numbers(scored):
    contributions, missing = grids(gather(read_table("digits", scored.root), scored.root), metric("accuracy"))
    assert contributions.head == ("noisy", "rotated")
    assert contributions.rows == (("Joint training", ("15.0 ± 0.0", "55.0 ± 0.0")),)
    assert missing.head == ("noisy", "rotated", "noisy + rotated")
    assert missing.rows == (("Joint training", ("30.0 ± 0.0", "70.0 ± 0.0", "80.0 ± 0.0")),)


def test_many_modalities_are_averaged_by_how_many_are_missing(scored):
    for score in scored.scores:
        if score.get("subsets"):
            names = ["", "a", "b", "c", "d", "a+b", "a+c", "a+d", "b+c", "b+d", "c+d"]
            names += ["a+b+c", "a+b+d", "a+c+d", "b+c+d", "a+b+c+d"]
            score["subsets"] = {kept: {"accuracy": (kept.count("+") + bool(kept)) / 10} for kept in names}
    scored.put("runs/digits/evaluation/seeds.json", json.dumps(scored.scores))
    _, missing = grids(gather(read_table("digits", scored.root), scored.root), metric("accuracy"))
    assert missing.head == ("0 missing", "1 missing", "2 missing", "3 missing")
    assert missing.rows[0][1] == ("40.0 ± 0.0", "30.0 ± 0.0", "20.0 ± 0.0", "10.0 ± 0.0")


def test_the_page_and_the_markdown_have_them(scored, monkeypatch):
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])
    with open("/dev/null", "w") as file:
        page = write("digits", scored.root, Console(file=file)).read_text()
    assert 'id="contributions"' in page
    assert 'id="missing"' in page
    assert 'id="diagnosis"' in page
    assert "CGGM (paper)" in page.split('id="diagnosis"')[1]
    assert "## Missing modalities at test time" in (scored.runs / "table.md").read_text()


def test_diagnose_a_table_and_a_row(written, monkeypatch):
    monkeypatch.chdir(written.root)
    said = CliRunner().invoke(cggm, ["diagnose", "runs/digits"]).output
    assert "runs/digits/joint: 5 seeds, no warning" in said
    assert "runs/digits/cggm-paper: 5 seeds, " in said
    assert "all seeds, since epoch 15: B was negative" in said
    assert "set training.modality_scores: true" in said
    row = CliRunner().invoke(cggm, ["diagnose", "runs/digits/joint"]).output
    assert row.startswith("runs/digits/joint: 5 seeds, no warning")
    path = written.runs / "joint/train/seed-0/history.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "alone_noisy", "alone_rotated"])
        writer.writeheader()
        writer.writerows({**one, "alone_noisy": 0.99, "alone_rotated": 0.2} for one in rows)
    row = CliRunner().invoke(cggm, ["diagnose", "runs/digits/joint"]).output
    assert "seed 0, since epoch 15: noisy alone has a better validation accuracy" in row
    assert "set training.modality_scores" not in row


def test_diagnose_what_is_not_there(written, monkeypatch):
    monkeypatch.chdir(written.root)
    error = CliRunner().invoke(cggm, ["diagnose", "runs/digits/jont"]).exception
    assert isinstance(error, CggmError)
    assert "did you mean 'runs/digits/joint'?" in str(error)
