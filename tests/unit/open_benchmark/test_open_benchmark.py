"""`make benchmark-open`: which commands a part runs, what it adds up, and what the page of results says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cggm_pipeline.errors import CggmError

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "open_benchmark" / "run.py"


@pytest.fixture
def script(tmp_path, monkeypatch) -> ModuleType:
    """The script with a project of its own, whose commands are only noted down."""
    spec = importlib.util.spec_from_file_location("open_benchmark_run", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "open_benchmark_run", module)
    spec.loader.exec_module(module)
    tables = [
        SimpleNamespace(name=f"open-benchmark/{name}", rows=[SimpleNamespace(tuned=tuned)])
        for name, tuned in (("digits", {"budget": 2}), ("motion", {"budget": 2}), ("imbalance-noise", None))
    ]
    ranking = SimpleNamespace(
        name="open-benchmark", metrics={"open-benchmark/digits": None, "open-benchmark/motion": None}
    )
    documents = SimpleNamespace(tables=tables, rankings=[ranking], prepared=lambda table: (table.name[15:],))
    stages = [SimpleNamespace(name=f"prepare-{name}") for name in ("digits", "motion", "imbalance-noise", "mosi")]
    monkeypatch.setattr(module, "read_documents", lambda project: documents)
    monkeypatch.setattr(
        module, "pipelines", lambda *_: [SimpleNamespace(path="pipelines/data/dvc.yaml", stages=stages)]
    )
    for name, path in (("ROOT", ""), ("RESULTS", "results"), ("TIMES", ".cggm/times.json")):
        monkeypatch.setattr(module, name, tmp_path / path)
    return module


@pytest.fixture
def ran(script, monkeypatch) -> list[str]:
    commands: list[str] = []

    def run(command, **_):
        commands.append(" ".join(command))
        return SimpleNamespace(returncode=int("motion" in command[-1]), stdout="")

    monkeypatch.setattr(script.subprocess, "run", run)
    return commands


def call(script, monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    script.main()


def test_all_parts_in_order_and_a_failure_takes_nothing_else_down(script, ran, monkeypatch):
    with pytest.raises(SystemExit, match="cggm tune open-benchmark/motion ended with 1"):
        call(script, monkeypatch)
    assert [command for command in ran if "summary.py" not in command and not command.startswith("git")] == [
        "dvc repro pipelines/data/dvc.yaml:prepare-digits",
        "dvc repro pipelines/data/dvc.yaml:prepare-motion",
        "dvc repro pipelines/data/dvc.yaml:prepare-imbalance-noise",
        "cggm tune open-benchmark/digits",
        "cggm tune open-benchmark/motion",
        "cggm compile",
        "dvc repro --keep-going pipelines/open-benchmark/digits/dvc.yaml",
        "dvc repro --keep-going pipelines/open-benchmark/motion/dvc.yaml",
        "dvc repro --single-item pipelines/rankings/open-benchmark/dvc.yaml:rank-open-benchmark",
        "dvc repro --keep-going pipelines/open-benchmark/imbalance-noise/dvc.yaml",
    ]


def test_one_part_of_one_table(script, ran, monkeypatch):
    call(script, monkeypatch, "tables", "--only", "digits")
    call(script, monkeypatch, "tables", "--only", "digits")
    assert ran == ["dvc repro --keep-going pipelines/open-benchmark/digits/dvc.yaml"] * 2
    times = json.loads((script.TIMES).read_text())
    assert list(times) == ["tables"]
    assert list(times["tables"]) == ["open-benchmark/digits"]
    with pytest.raises(CggmError, match="no table of the benchmark: open-benchmark/digit"):
        call(script, monkeypatch, "tables", "--only", "digit")
    with pytest.raises(SystemExit):
        call(script, monkeypatch, "everything")


def test_the_page_says_what_was_computed_and_what_is_missing(script, ran, monkeypatch, tmp_path):
    folder = tmp_path / "runs/open-benchmark/digits"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text("row,n,protocol\njoint,2,abc\njoint,2,abc\nogm-ge,,abc\n")
    (folder / "table.md").write_text("# Digits\n")
    script._add("tune", "open-benchmark/digits", 60.0)
    script._add("tune", "open-benchmark/digits", 30.0)
    call(script, monkeypatch, "results")
    page = (script.RESULTS / "README.md").read_text()
    assert "| [digits](digits/table.md) | 1 of 2 | 2 | `abc` | no |" in page
    assert "| motion | not computed | | | no |" in page
    assert "| tune | 1.5 | open-benchmark/digits: 1.5 |" in page
    assert "cores" in page
    assert "torch" in page
    assert (script.RESULTS / "digits/table.md").read_text() == "# Digits\n"
