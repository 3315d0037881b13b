"""`cggm compare` with names of runs that are not there; of real runs: tests/unit/report/test_compare.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("runs/digits/jont", "there is no run 'runs/digits/jont'; did you mean 'runs/digits/joint'?"),
        ("joint", "there is no run 'joint'; did you mean 'runs/digits/joint'?"),
        ("runs/digits/xyz", "(runs: runs/digits/cggm, runs/digits/joint)"),
    ],
)
def test_a_run_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    for row in ("joint", "cggm"):
        (tmp_path / "runs/digits" / row / "train").mkdir(parents=True)
    error = CliRunner().invoke(cggm, ["compare", asked, "runs/digits/cggm"]).exception
    assert isinstance(error, CggmError)
    assert words in str(error)


def test_without_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(cggm, ["compare", "a", "b"]).exception
    assert isinstance(error, CggmError)
    assert "(runs: none here)" in str(error)
