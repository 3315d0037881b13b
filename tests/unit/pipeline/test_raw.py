"""Raw files that are not there are said where a person looks, with the line that names them and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import DataError
from cggm_pipeline.pipeline.raw import all_missing
from cggm_pipeline.spec import Project

from .conftest import OWN_DATASET, write_specs

SAID = "specs/datasets/own.yaml:5:9: error: source.path: data/raw/own.csv does not exist"


@pytest.fixture
def project(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose raw file has to be fetched, beside one that needs none."""
    write_specs(small, {"datasets/own.yaml": OWN_DATASET.replace("PATH", "data/raw/own.csv")})
    monkeypatch.chdir(small)
    return small


def test_the_place_and_what_to_do(project: Path) -> None:
    (found,) = map(str, all_missing(Project(project)))
    assert found.startswith(SAID)
    assert "`dvc get-url ADDRESS data/raw/own.csv`; then `cggm prepare own`" in found


def test_nothing_is_said_once_it_is_there(project: Path) -> None:
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/own.csv").write_text("a,b,c,y\n")
    assert all_missing(Project(project)) == []


def test_compile_writes_and_says_it(project: Path) -> None:
    result = CliRunner().invoke(cggm, ["compile"], catch_exceptions=False)
    assert result.exit_code == 0
    assert (project / "dvc.yaml").is_file()
    assert SAID in result.stderr


def test_prepare_stops_with_it(project: Path) -> None:
    with pytest.raises(DataError, match=r"source\.path: data/raw/own\.csv does not exist"):
        CliRunner().invoke(cggm, ["prepare", "own"], catch_exceptions=False)
