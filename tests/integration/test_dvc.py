"""spec -> dvc repro -> report in a temporary repository; the second runs nothing; each edit reruns exactly its stages.

The tests share one repository and leave it as they found it.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from dvc_repository import ROOT, Repository, package_repository, ran

EXPERIMENT = """version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: conv, channels: [4]}}
  noisy: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: concat, width: 8}
task: {kind: classification}
training: {epochs: 2, batch_size: 128}
seeds: [0]
"""
TABLE = """version: 1
kind: table
title: A small table
base: experiments/joint.yaml
rows:
  OGM-GE: {modulation: {kind: ogm_ge}}
  CGGM: {modulation: {kind: cggm, preset: paper}}
"""
OGM, CGGM, EVALUATE, REPORT = "train-small--ogm-ge", "train-small--cggm", "evaluate-small", "report-small"
ALL = {"prepare-digits", OGM, CGGM, EVALUATE, REPORT}
RESOLVED = "specs/resolved/small/cggm.yaml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The table computed once, and committed."""
    dataset = (ROOT / "specs/datasets/digits.yaml").read_text(encoding="utf-8")
    specs = {"datasets/digits.yaml": dataset, "experiments/joint.yaml": EXPERIMENT, "tables/small.yaml": TABLE}
    made = package_repository(tmp_path_factory.mktemp("project"), specs)
    assert made.repro() == ALL
    made.commit()
    return made


def test_a_spec_becomes_a_report(repository: Repository) -> None:
    runs = repository.root / "runs/small"
    for name in ("report.html", "table.md", "table.csv", "table.tex", "metrics.json", "evaluation/seeds.json"):
        assert (runs / name).stat().st_size > 0, name
    assert "OGM-GE" in (runs / "table.md").read_text(encoding="utf-8")


def test_what_git_keeps(repository: Repository) -> None:
    kept = set(repository.run("git", "ls-files").split())
    assert {
        "cggm_pipeline/build/train.py",
        "dvc.yaml",
        "dvc.lock",
        RESOLVED,
        "specs/splits/digits.csv",
        "runs/small/metrics.json",
    } <= kept
    assert not [name for name in kept if name.startswith(("data/", ".cggm/", "runs/small/ogm-ge", "runs/small/report"))]


def test_the_second_repro_runs_nothing(repository: Repository) -> None:
    assert repository.repro() == set()
    assert repository.planned() == (set(), set())
    assert "nothing would run" in repository.run("cggm", "plan")


def test_a_parameter_of_one_row(repository: Repository) -> None:
    with repository.compiled("specs/tables/small.yaml", "preset: paper", "preset: paper, rho: 1.2"):
        assert repository.planned() == ({CGGM, REPORT}, {EVALUATE})
        assert f"{RESOLVED}: modulation.rho: 1.3 -> 1.2" in repository.run("cggm", "plan")


def test_a_parameter_of_the_data_reruns_everything(repository: Repository) -> None:
    with repository.compiled("specs/datasets/digits.yaml", "noise: 1.0", "noise: 0.9"):
        certain, after = repository.planned()
        assert certain | after == ALL
        assert certain == {"prepare-digits", REPORT}


def test_words_rerun_nothing(repository: Repository) -> None:
    with (
        repository.edited("specs/experiments/joint.yaml", "data: digits", "data: digits\ndescription: other words"),
        repository.edited("specs/datasets/digits.yaml", "kind: dataset", "kind: dataset  # a comment"),
        repository.compiled("specs/tables/small.yaml", "title: A", "description: other words\ntitle: A"),
    ):
        assert repository.planned() == (set(), set())
    repository.compile()


def test_a_label_reruns_the_report_alone(repository: Repository) -> None:
    with repository.compiled("specs/tables/small.yaml", "title: A small table", "title: Another title"):
        assert repository.planned() == ({REPORT}, set())


def test_files_that_no_stage_uses_rerun_nothing(repository: Repository) -> None:
    names = ("modulations/unimodal_losses", "encoders/transformer", "spec/modulations/cggm", "cli/__init__")
    with ExitStack() as edits:
        for name in names:
            edits.enter_context(repository.edited(f"cggm_pipeline/{name}.py", '"""', '"""Said differently. '))
        assert repository.planned() == (set(), set())


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("cggm_pipeline/report/templates/report.html.j2", {REPORT}),
        ("cggm_pipeline/modulations/ogm_ge.py", {OGM}),
        ("cggm_pipeline/modulations/cggm.py", {CGGM}),
        ("cggm_pipeline/training/fit.py", {OGM, CGGM, EVALUATE}),  # evaluate builds with what trains
        ("cggm_pipeline/data/sources/digits_two_view.py", {"prepare-digits"}),
        ("cggm_pipeline/data/writing.py", {"prepare-digits"}),
        ("stages/evaluate.py", {EVALUATE}),
    ],
)
def test_one_file_belongs_to_what_uses_it(repository: Repository, name: str, stages: set[str]) -> None:
    made = yaml.safe_load((repository.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert {stage for stage, record in made.items() if name in record["deps"]} == stages


def test_several_files_rerun_what_uses_them(repository: Repository) -> None:
    with (
        repository.edited("cggm_pipeline/modulations/ogm_ge.py", '"""', '"""Said differently. '),
        repository.edited("stages/evaluate.py", '"""', '"""Said differently. '),
    ):
        assert repository.planned() == ({OGM, EVALUATE}, {REPORT})


def test_a_docstring_retrains_one_row_and_going_back_costs_nothing(repository: Repository) -> None:
    with repository.edited("cggm_pipeline/modulations/ogm_ge.py", '"""', '"""Said differently. '):
        assert repository.repro() == {OGM, REPORT}, "the weights are the same bytes; the report reads the times"
    assert repository.repro() == set(), "going back costs nothing: DVC's run cache has it"


def test_an_experiment_of_dvc(repository: Repository) -> None:
    output = repository.run("dvc", "exp", "run", "--set-param", f"{RESOLVED}:modulation.rho=1.2")
    assert ran(output) == {CGGM, EVALUATE, REPORT}
    changed = repository.json("dvc", "params", "diff", "--json")
    assert changed[RESOLVED]["modulation.rho"]["old"] == 1.3
    assert changed[RESOLVED]["modulation.rho"]["new"] == 1.2
    assert "runs/small/metrics.json" in repository.json("dvc", "metrics", "diff", "--json", "--all")
    assert '"rho": 1.2' in repository.run("dvc", "exp", "show", "--json")
    assert "was edited after" in repository.run("cggm", "compile", fails=True)
    assert "was edited after" in repository.run("cggm", "compile", "--check", fails=True)
    repository.run("git", "checkout", "--quiet", "--", ".")
    repository.run("dvc", "checkout", "--force", "--quiet")
    assert repository.planned() == (set(), set())


def test_a_clone_with_a_remote_runs_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    repository.run("dvc", "push")
    repository.run("git", "clone", "--quiet", str(repository.root), str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    clone.run("dvc", "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    clone.run("dvc", "pull")
    assert clone.repro() == set()
    assert (clone.root / "runs/small/report.html").is_file()


def test_dvc_shows_metrics_and_plots(repository: Repository, tmp_path: Path) -> None:
    shown = repository.json("dvc", "metrics", "show", "--json")
    accuracy = shown[""]["data"]["runs/small/metrics.json"]["data"]["cggm"]["test"]["accuracy"]["mean"]
    assert 0 <= accuracy <= 1
    repository.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "small: validation loss (first seed)" in page
    assert "train_loss" in page
