"""`cggm init`: the project that it makes validates and runs, with the installed package, in a repository of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from dvc_repository import ROOT, Repository

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.start import PROJECT, digits_csv, start


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_nothing_to_a_report(tmp_path: Path) -> None:
    made = Repository(tmp_path / "mine")
    assert CliRunner().invoke(cggm, ["init", str(made.root)]).exit_code == 0
    made.environment.pop("PYTHONPATH")
    assert "no errors" in made.run("cggm", "validate")
    assert "are fresh" in made.run("cggm", "compile", "--check")
    _shorten(made.root)
    made.run("cggm", "compile")
    made.commit()
    assert made.repro() == {
        "prepare-digits",
        "train-methods--joint-training",
        "train-methods--cggm",
        "evaluate-methods",
        "report-methods",
    }
    assert made.repro() == set()
    assert "Joint training" in (made.root / "runs/methods/table.md").read_text(encoding="utf-8")
    assert (made.root / "runs/methods/report.html").is_file()
    kept = made.run("git", "status", "--porcelain", "--untracked-files=all").split()[1::2]
    assert set(kept) == {"dvc.lock", "runs/methods/metrics.json", "specs/splits/digits.csv"}


def _shorten(root: Path) -> None:
    """Two epochs, one seed, two rows: the way is the same, only shorter."""
    experiment, table = root / "specs/experiments/joint.yaml", root / "specs/tables/methods.yaml"
    text = experiment.read_text(encoding="utf-8").replace("epochs: 30", "epochs: 2").replace("[0, 1, 2]", "[0]")
    experiment.write_text(text, encoding="utf-8")
    rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(row for row in rows if "nimodal" not in row), encoding="utf-8")


def test_its_stages_are_those_of_this_repository() -> None:
    for stage in ("prepare", "features", "train", "evaluate", "report"):
        ours = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
        assert (PROJECT / "stages" / f"{stage}.py.j2").read_text(encoding="utf-8") == ours
        assert len(ours.splitlines()) <= 25


def test_no_file_of_it_is_hidden_from_a_wheel() -> None:
    parts = {part for path in PROJECT.rglob("*") for part in path.relative_to(PROJECT).parts}
    assert parts
    assert not [part for part in parts if part.startswith(".")]


def test_the_digits_are_the_real_ones() -> None:
    lines = digits_csv().splitlines()
    assert len(lines) == 1 + 1797
    assert lines[1] == "d0000,0,28,58,39,32,30,35,43,29,0,18,84,48,40,68,36,0"


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CggmError, match=r"has mine\.txt in it"):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(CggmError, match="is a file"):
        start(tmp_path / "mine.txt")


def test_a_clone_that_is_still_empty_is_filled(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.run("git", "init", "--quiet")
    start(tmp_path)
    assert (tmp_path / "dvc.yaml").is_file()
    assert [path.name for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name}")] == []


def test_without_git_dvc_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    start(tmp_path / "mine")
    assert "no_scm = true" in (tmp_path / "mine/.dvc/config").read_text(encoding="utf-8")
    assert not (tmp_path / "mine/.git").exists()
