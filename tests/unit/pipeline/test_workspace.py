"""Writing generated files: fresh, stale, edited, foreign, left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.workspace import differences, write
from cggm_pipeline.spec import Dataset, Experiment, Project, load_resolved
from cggm_pipeline.spec.stamp import edited, stamp, state

from .conftest import TABLE, write_specs


@pytest.fixture
def compiled(small: Path) -> Path:
    write(small, generate(Project(small)))
    return small


def found(root: Path) -> dict[str, str]:
    return {difference.path: difference.what for difference in differences(root, generate(Project(root)))}


def test_compiled_is_fresh_and_complete(compiled: Path) -> None:
    assert found(compiled) == {}
    experiment = load_resolved(compiled / "specs/resolved/digits/cggm-paper.yaml", Experiment)
    assert experiment.modulation.kind == "cggm"
    assert experiment.seeds == (0, 1)
    assert load_resolved(compiled / "specs/resolved/datasets/digits.yaml", Dataset).source.kind == "digits_two_view"


def test_a_changed_spec_makes_its_files_stale(compiled: Path) -> None:
    write_specs(compiled, {"tables/digits.yaml": TABLE.replace("preset: paper", "preset: paper, rho: 1.2")})
    assert found(compiled) == {"specs/resolved/digits/cggm-paper.yaml": "stale"}
    write(compiled, generate(Project(compiled)))
    assert found(compiled) == {}


def test_a_removed_row_is_removed(compiled: Path) -> None:
    write_specs(compiled, {"tables/digits.yaml": TABLE.replace("  OGM-GE: {modulation: {kind: ogm_ge}}\n", "")})
    assert found(compiled)["specs/resolved/digits/ogm-ge.yaml"] == "left over"
    write(compiled, generate(Project(compiled)))
    assert not (compiled / "specs/resolved/digits/ogm-ge.yaml").exists()
    assert found(compiled) == {}


def test_a_file_of_ones_own_is_left_alone(compiled: Path) -> None:
    mine = compiled / "specs/resolved/digits/mine.yaml"
    mine.write_text("a: 1\n")
    assert found(compiled) == {}
    write(compiled, generate(Project(compiled)))
    assert mine.read_text() == "a: 1\n"


@pytest.mark.parametrize("name", ["specs/resolved/digits/cggm-paper.yaml", "dvc.yaml"])
def test_an_edit_is_not_overwritten(compiled: Path, name: str) -> None:
    path = compiled / name
    text = path.read_text().replace("seeds", "sides")
    path.write_text(text)
    assert found(compiled) == {name: "edited"}
    with pytest.raises(CggmError, match=r"was edited after `cggm compile` wrote it.*--force"):
        write(compiled, generate(Project(compiled)))
    assert path.read_text() == text
    write(compiled, generate(Project(compiled)), force=True)
    assert found(compiled) == {}


def test_an_edited_row_that_is_gone_is_not_removed(compiled: Path) -> None:
    path = compiled / "specs/resolved/digits/ogm-ge.yaml"
    path.write_text(path.read_text().replace("alpha: 0.8", "alpha: 0.9"))
    write_specs(compiled, {"tables/digits.yaml": TABLE.replace("  OGM-GE: {modulation: {kind: ogm_ge}}\n", "")})
    with pytest.raises(CggmError, match=r"ogm-ge\.yaml"):
        write(compiled, generate(Project(compiled)))
    assert path.exists()


def test_an_edit_that_reached_the_spec_is_no_edit(compiled: Path) -> None:
    path = compiled / "specs/resolved/digits/cggm-paper.yaml"
    path.write_text(path.read_text().replace("rho: 1.3", "rho: 1.2"))
    write_specs(compiled, {"tables/digits.yaml": TABLE.replace("preset: paper", "preset: paper, rho: 1.2")})
    write(compiled, generate(Project(compiled)))
    assert state(path.read_text()) == "generated"


def test_an_unfinished_merge_is_seen_and_mended(compiled: Path) -> None:
    path = compiled / "specs/resolved/digits/joint.yaml"
    path.write_text(path.read_text().replace("seeds:", "<<<<<<< HEAD\nseeds:"))
    assert found(compiled) == {"specs/resolved/digits/joint.yaml": "edited"}
    write(compiled, generate(Project(compiled)), force=True)
    assert found(compiled) == {}


def test_a_dvc_yaml_of_ones_own_is_not_overwritten(small: Path) -> None:
    (small / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(CggmError, match="was not written by `cggm compile`"):
        write(small, generate(Project(small)))
    assert not (small / "specs/resolved").exists()


def test_reformatting_is_no_edit(tmp_path: Path) -> None:
    text = stamp("a: {b: 1.0e-05, c: [x, y]}\n", "specs/a.yaml")
    path = tmp_path / "a.yaml"
    path.write_text(text.replace("{b: 1.0e-05, c: [x, y]}", "\n  c:\n  - x\n  - y\n  b: 0.00001"))
    assert not edited(path)
    path.write_text(text.replace("[x, y]", "[y, x]"))
    assert edited(path)


def test_the_command_checks_and_says_what_repairs(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small)
    checked = CliRunner().invoke(cggm, ["compile", "--check"])
    assert checked.exit_code == 1
    assert "dvc.yaml: error: is missing; run `cggm compile`" in checked.stderr
    assert not (small / "dvc.yaml").exists()
    assert CliRunner().invoke(cggm, ["compile"]).exit_code == 0
    assert CliRunner().invoke(cggm, ["compile", "--check"]).exit_code == 0
