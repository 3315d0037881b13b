"""`cggm tune`: every trial, what is chosen of them, what a killed tuning keeps, and a table that reads it."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

from cggm_pipeline.build import tune as tuning
from cggm_pipeline.build.tune import tune
from cggm_pipeline.cli.show_ import command as show_command
from cggm_pipeline.cli.tune_ import command as tune_command
from cggm_pipeline.cli.validate_ import command as validate_command
from cggm_pipeline.errors import CggmError, DataError, SpecError
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import table_record
from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.spec import Project, load_table
from cggm_pipeline.spec.stamp import content_digest

TABLE = """\
version: 1
kind: table
base: experiments/sides.yaml
baseline: Joint
seeds: [0, 1]
tuning: {budget: 2, seed: 1000, epochs: 4}
rows:
  Joint: {tune: {training.optimizer.lr: [1.0e-6, 2.0e-2]}}
  "OGM-GE: \\u03b1":
    modulation: {kind: ogm_ge}
    tune: {modulation.alpha: [0.3, 0.8]}
"""
LR = "training.optimizer.lr"


@pytest.fixture
def table(project, monkeypatch):
    """A nested table with tuning; afterwards the project is without it."""
    monkeypatch.chdir(project)
    path = project / "specs/tables/open/points.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TABLE, encoding="utf-8")
    yield path
    shutil.rmtree(project / "specs/tables")
    for left in ("specs/tuned", ".cggm/tune"):
        shutil.rmtree(project / left, ignore_errors=True)


def tuned(project, table="open/points", rows=None):
    found = load_table(table, Project(project), tuned=False)
    chosen = list(found.rows) if rows is None else rows
    return tune(found, Project(project), key=lambda spec: run_key(spec, project), rows=chosen)


def test_the_best_on_the_validation_split_is_chosen_and_the_table_reads_it(project, table, invoke):
    done = invoke(tune_command, "open/points")
    assert "wrote specs/tuned/open/points.yaml; next: cggm compile" in done.output
    path = project / "specs/tuned/open/points.yaml"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    joint, ogm = said["rows"]["Joint"], said["rows"]["OGM-GE: \u03b1"]
    assert [trial["values"] for trial in joint["trials"]] == [{LR: 1e-6}, {LR: 2e-2}]
    assert joint["chosen"] == {LR: 2e-2}, "a rate of 1e-6 learns nothing in four epochs"
    scores = [trial["score"] for trial in joint["trials"]]
    assert scores[1] > scores[0]
    assert joint["metric"] == "accuracy"
    assert len(ogm["trials"]) == 2
    for trial, key in zip(joint["trials"], keys(project, "joint"), strict=True):
        summary = json.loads((project / ".cggm/state" / key / "seed-1000/finished/summary.json").read_text())
        assert summary["epochs"] == 4
        assert trial["score"] == summary["selection"]["value"]
        assert trial["epoch"] == summary["selected_epoch"]
    row = load_table("open/points", Project(project)).rows["joint"].experiment
    assert row.spec.training.optimizer.lr == 2e-2
    assert row.spec.training.epochs == 25, "epochs of the trials are no row's"
    shown = invoke(show_command, "open/points", "--row", "Joint", "--origin").output
    assert any("lr: " in line and "specs/tuned/open/points.yaml" in line for line in shown.splitlines())
    assert "no errors" in invoke(validate_command).output
    documents = read_documents(Project(project))
    resolved = table_record(next(one for one in documents.tables if one.name == "open/points"))
    assert resolved["rows"]["joint"]["tuned"] == {
        "budget": 2, "seed": 1000, "epochs": 4, "values": {LR: 2e-2}, "fresh": True,
    }  # fmt: skip
    before = path.read_text(encoding="utf-8")
    assert content_digest(before)
    tuned(project)
    assert path.read_text(encoding="utf-8") == before


def keys(project, row):
    found = load_table("open/points", Project(project), tuned=False)
    combined = tuning._combinations(found.rows[row], found.rows[row].tried, found, Project(project))
    return [run_key(experiment, project) for _, experiment in combined]


def test_a_killed_tuning_goes_on_and_trains_no_trial_twice(project, table, monkeypatch):
    tuned(project)
    kept = keys(project, "joint")[0]
    (again,) = (project / ".cggm/state" / key for key in keys(project, "joint")[1:])
    shutil.rmtree(again)
    done = []
    train = tuning.train_seeds
    monkeypatch.setattr(tuning, "train_seeds", lambda jobs, *rest: (done.extend(jobs), train(jobs, *rest)))
    tuned(project)
    assert [job.key for job in done] == [again.name]
    assert kept != again.name


def test_equal_scores_take_the_first_and_a_failure_is_the_worst(project, table):
    table.write_text(TABLE.replace("[1.0e-6, 2.0e-2]", "[1.0e+30, 2.0e-2]"), encoding="utf-8")
    failed = tuned(project, rows=["joint"]).rows["Joint"]
    assert failed.trials[0].score is None
    assert "not finite" in failed.trials[0].failed
    assert failed.chosen == {LR: 2e-2}
    same = TABLE.replace("{training.optimizer.lr: [1.0e-6, 2.0e-2]}", "{training.optimizer.eps: [1.0e-8, 1.1e-8]}")
    table.write_text(same, encoding="utf-8")
    equal = tuned(project, rows=["joint"]).rows["Joint"]
    assert equal.trials[0].score == equal.trials[1].score
    assert equal.chosen == {"training.optimizer.eps": 1.0e-8}


def test_rows_tuned_alone_join_those_that_were(project, table, invoke):
    first = invoke(tune_command, "open/points", "--rows", "joint")
    assert "not tuned yet, so the table is not valid: OGM-GE" in first.stderr
    (problem,) = [line for line in CliRunner().invoke(validate_command).output.splitlines() if "error: rows" in line]
    assert "the row 'OGM-GE: \u03b1' was not tuned" in problem
    invoke(tune_command, "open/points", "--rows", "OGM-GE: \u03b1")
    assert list(load_table("open/points", Project(project)).tuned.rows) == ["Joint", "OGM-GE: \u03b1"]
    table.write_text(TABLE.replace("epochs: 4", "epochs: 5"), encoding="utf-8")
    with pytest.raises(SpecError, match="tuned with another budget, seed or number of epochs"):
        tuned(project, rows=["joint"])


def test_what_cannot_be_tuned_is_told_before_anything_is_trained(project, table, invoke):
    with pytest.raises(CggmError, match="has no row 'jiont'; did you mean 'joint'"):
        invoke(tune_command, "open/points", "--rows", "jiont")
    table.write_text(TABLE.replace("[0.3, 0.8]", "[0.3, -1.0]"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"points.yaml:11:.*tune.modulation.alpha"):
        invoke(tune_command, "open/points")
    untuned = TABLE.replace("tuning:", "description: none  # ").replace(
        "{tune: {training.optimizer.lr: [1.0e-6, 2.0e-2]}}", "{}"
    )
    table.write_text(untuned.split('  "OGM')[0], encoding="utf-8")
    with pytest.raises(CggmError, match="has no tuning"):
        invoke(tune_command, "open/points")
    table.write_text(TABLE, encoding="utf-8")
    shutil.move(project / "data/prepared/points", project / "data/prepared/away")
    try:
        with pytest.raises(DataError, match=r"data/prepared/points.*: the data set is not prepared yet"):
            invoke(tune_command, "open/points")
    finally:
        shutil.move(project / "data/prepared/away", project / "data/prepared/points")


def test_validate_says_once_that_a_table_is_not_tuned(project, table, invoke):
    done = invoke(validate_command)
    assert done.exit_code == 0, done.output + done.stderr
    told = [line for line in (done.output + done.stderr).splitlines() if "not tuned yet" in line]
    assert len(set(told)) == 1
    assert told[0].startswith("specs/tables/open/points.yaml:6:1: warning: tuning: not tuned yet")
