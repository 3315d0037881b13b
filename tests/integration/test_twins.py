"""Every pipeline of the paper on its twin: raw files in the publisher's layout -> `dvc repro` -> the table.

One repository serves all of them; each makes its own twin in it. benchmarks/twins.py prints how long each takes.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from dvc_repository import ROOT, Repository, package_repository
from safetensors.torch import load_file

from cggm_pipeline.spec import Project, load_table

TABLES = {
    "food101": ("accuracy", "92.94"),
    "mosi": ("mae", "0.747"),
    "iemocap": ("accuracy", "75.38"),
    "brats": ("slice_dice", "73.94"),
}
"""Table -> a metric that the paper reports, and its number for CGGM as it must stand in the table."""
PAGES = ("table.md", "table.csv", "table.tex", "report.html")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """This repository with the specs of the paper's tasks, committed; no data."""
    return without_data(tmp_path_factory.mktemp("project"))


GENERATED = ("resolved", "splits", "schema.json")
OTHERS = ("open-benchmark*", "missing", "adapters", "adaptation", "casp", "wander", "mplmm", "tuned", "together.yaml")
"""Documents that no table here needs: DVC reads every pipeline at each of its calls."""


def without_data(root: Path, *wanted: str) -> Repository:
    left_out = [name for name in OTHERS if name not in wanted]
    shutil.copytree(ROOT / "specs", root / "specs", ignore=shutil.ignore_patterns(*GENERATED, *left_out))
    return package_repository(root, {})


@pytest.mark.parametrize("name", TABLES)
def test_a_pipeline_on_its_twin(repository: Repository, name: str) -> None:
    start = time.monotonic()
    told = repository.run("cggm", "twin", name, f"data/twins/{name}")
    file = f"pipelines/{name}-twin/dvc.yaml"
    assert f"dvc repro {file}" in told
    repository.run("cggm", "compile")
    stages = {stage.removeprefix(f"{file}:") for stage in repository.repro(file)}
    table = load_table(f"{name}-twin", Project(repository.root))
    rows = {f"train-{name}-twin--{slug}" for slug in table.rows}
    assert stages == rows | {f"evaluate-{name}-twin", f"report-{name}-twin"} | prepared(name)
    print(f"\n{name}: {len(stages)} stages, {time.monotonic() - start:.0f} s")  # pytest -s
    check_table(repository.root / f"runs/{name}-twin", name)
    assert repository.repro(file) == set(), "the second one runs nothing"
    assert "generated files are fresh" in repository.run("cggm", "compile", "--check")


def test_the_ablation_on_its_twin(tmp_path: Path) -> None:
    """A table that shares its dataset with another one, and cites the paper's ablation."""
    repository = without_data(tmp_path / "project")
    repository.run("cggm", "twin", "iemocap-ablation", "data/twins/ablation")
    repository.run("cggm", "compile")
    repository.repro("pipelines/iemocap-ablation-twin/dvc.yaml")
    text = (repository.root / "runs/iemocap-ablation-twin/table.md").read_text(encoding="utf-8")
    assert "no real data, no result" in text
    for number in ("70.74", "72.35", "72.41", "73.74"):
        assert number in text, f"the table does not have the published number {number}"
    assert text.count("no verdict: not the real data") >= 6, "every row cites the paper"


def test_prompts_start_from_a_backbone_that_is_a_stage_of_its_own(tmp_path: Path) -> None:
    """MPLMM on two twins: pre-training on one corpus, then prompts on another over the frozen backbone."""
    repository = without_data(tmp_path / "project", "mplmm")
    for table, folder in (("mplmm/pretraining", "mosei"), ("mplmm/mosi", "mosi")):
        repository.run("cggm", "twin", table, f"data/twins/{folder}")
    repository.run("cggm", "compile")
    file, row = "pipelines/mplmm/mosi-twin/dvc.yaml", "train-mplmm--mosi-twin--mplmm-paper"
    stages = {stage.rpartition(":")[2] for stage in repository.repro(f"{file}:{row}")}
    backbone = {"prepare-mosei-twin", "train-mplmm--pretraining-twin--mult"}
    assert stages == backbone | {"prepare-mosi-twin", row}
    assert repository.repro(f"{file}:{row}") == set()
    summary = json.loads((repository.root / "runs/mplmm/mosi-twin/mplmm-paper/train/seed-0/summary.json").read_text())
    assert 0 < summary["trainable"] < sum(summary["parameters"].values())
    before, after = (
        load_file(repository.root / f"runs/mplmm/{run}/train/seed-0/model.safetensors")
        for run in ("pretraining-twin/mult", "mosi-twin/mplmm-paper")
    )
    frozen = [name for name in before if name.startswith("fusion.")]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)


def prepared(name: str) -> set[str]:
    """The stages that make a twin's data."""
    raw = {f"prepare-{name}-twin"}
    return raw | {"features-food101-features-twin"} if name == "food101" else raw


def check_table(folder: Path, name: str) -> None:
    """The table stands in all formats, with the paper's numbers, and says that its own come from a twin."""
    metric, number = TABLES[name]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert all(metric in row["test"] for row in metrics.values()), metrics
    for page in PAGES:
        text = (folder / page).read_text(encoding="utf-8")
        assert "CGGM (released)" in text, page
        assert number in text, f"{page} does not have the published number {number}"
        assert "no real data, no result" in text, f"{page} does not say that its numbers come from a twin"
        assert page == "report.html" or "reproduced" not in text, f"{page} gives a verdict on made-up data"
