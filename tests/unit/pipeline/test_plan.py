"""What would run and why, from DVC's status and lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.plan import Planned, Status, plan
from cggm_pipeline.pipeline.workspace import write
from cggm_pipeline.spec import Project

ROW = "specs/resolved/digits/cggm-paper.yaml"


@pytest.fixture
def ran(small: Path) -> Path:
    """A project in which every stage has run once, as dvc.lock tells it."""
    write(small, generate(Project(small)))
    names = [stage.name for stage in pipelines(read_documents(Project(small)), Code.of(small))[0].stages]
    modulation = {"kind": "cggm", "preset": "paper", "rho": 1.2, "lam": 0.2, "normalise": False}
    lock = {"schema": "2.0", "stages": {name: {"params": {ROW: {"modulation": modulation}}} for name in names}}
    (small / "dvc.lock").write_text(json.dumps(lock))
    return small


def planned(root: Path, status: Status) -> dict[str, Planned]:
    found = plan(root, pipelines(read_documents(Project(root)), Code.of(root)), status)
    return {item.address: item for item in found}


def test_nothing_changed_nothing_runs(ran: Path) -> None:
    assert planned(ran, {}) == {}


def test_a_changed_key_is_named_with_both_values(ran: Path) -> None:
    status = {"train-digits--cggm-paper": [{"changed deps": {ROW: {"modulation": "modified"}}}]}
    found = planned(ran, status)
    assert list(found) == ["train-digits--cggm-paper", "evaluate-digits", "report-digits"]
    assert found["train-digits--cggm-paper"].reasons == (f"{ROW}: modulation.rho: 1.2 -> 1.3",)
    assert found["train-digits--cggm-paper"].certain
    assert found["evaluate-digits"].reasons == ("after train-digits--cggm-paper",)
    assert not found["evaluate-digits"].certain


def test_a_missing_output_and_a_changed_command(ran: Path) -> None:
    status = {"report-digits": ["changed command", {"changed outs": {"runs/digits/table.md": "deleted"}}]}
    reasons = planned(ran, status)["report-digits"].reasons
    assert reasons == ("its command changed", "runs/digits/table.md: deleted")


def test_the_time_is_that_of_the_last_run(ran: Path) -> None:
    cost = ran / "runs/digits/joint/cost.json"
    cost.parent.mkdir(parents=True)
    cost.write_text('{"seeds": {"3": {"seconds": 12.5}}}')
    status = {"train-digits--joint": ["changed command"], "train-digits--ogm-ge": ["changed command"]}
    found = planned(ran, status)
    assert found["train-digits--joint"].seconds == 12.5
    assert found["train-digits--ogm-ge"].seconds is None


def test_before_the_first_run_everything_runs(small: Path) -> None:
    write(small, generate(Project(small)))
    found = planned(small, {})
    assert len(found) == 7
    assert all(item.reasons[0] == "never run" for item in found.values())
