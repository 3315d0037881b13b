"""Tuning: what rows may try, and how a table reads the values that `cggm tune` chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cggm_pipeline.spec import Project, load_table
from cggm_pipeline.spec.resolved import dump_data
from cggm_pipeline.spec.rows import examine_table
from cggm_pipeline.spec.schema import schema

if TYPE_CHECKING:
    from conftest import Desk

TABLE = """\
version: 1
kind: table
base: experiments/cggm.yaml
rows:
  Joint: {modulation: {kind: none}, tune: {training.optimizer.lr: [1e-2, 1e-3, 3e-4, 1e-4]}}
  CGGM: {tune: {modulation.rho: [1.0, null], training.optimizer.lr: [1e-3, 1e-4]}}
seeds: [0, 1]
tuning: {budget: 4, seed: 1000}
"""


def write(desk: Desk, table: str = TABLE, **chosen: dict[str, object]) -> None:
    """The table, and what was chosen for its rows (CGGM and Joint where nothing is given)."""
    desk.write("tables/mosi.yaml", table)
    values = chosen or {"Joint": {"training.optimizer.lr": 3e-4}, "CGGM": {"modulation.rho": None, LR: 1e-4}}
    rows = {}
    untuned = load_table("mosi", Project(desk.root), tuned=False) if table == TABLE else None
    for label, one in values.items():
        row = next((row for row in untuned.rows.values() if row.label == label), None) if untuned else None
        digest = row.tried.digest if row is not None and row.tried is not None else "0" * 16
        trial = {"values": one, "score": 0.5, "epoch": 1}
        rows[label] = {"chosen": one, "metric": "accuracy", "mode": "max", "trials": [trial], "digest": digest}
    head = {"version": 1, "kind": "tuned", "table": "mosi", "budget": 4, "seed": 1000}
    desk.write("tuned/mosi.yaml", dump_data({**head, "rows": rows}))


LR = "training.optimizer.lr"


def problem(desk: Desk, old: str, new: str) -> str:
    assert old in TABLE
    found = desk.problems("tables/mosi.yaml", TABLE.replace(old, new, 1))
    assert found, "nothing was found"
    return str(found[0])


def test_without_a_tuned_document_rows_have_their_own_values(desk: Desk) -> None:
    desk.write("tables/mosi.yaml", TABLE)
    project = Project(desk.root)
    table = load_table("mosi", project)
    assert table.rows["joint"].experiment.spec.training.optimizer.lr == 1e-3
    assert table.tuned is None
    (note,) = project.notes.values()
    assert (note.file, note.line, note.key) == ("specs/tables/mosi.yaml", 8, "tuning")
    assert "not tuned yet" in note.message
    assert "cggm tune mosi" in note.hint


def test_chosen_values_are_put_on_the_rows(desk: Desk) -> None:
    write(desk)
    project = Project(desk.root)
    table = load_table("mosi", project)
    joint, cggm = table.rows["joint"].experiment, table.rows["cggm"].experiment
    assert joint.spec.training.optimizer.lr == 3e-4
    assert cggm.spec.modulation.rho is None
    assert cggm.spec.modulation.preset == "paper"
    assert cggm.spec.training.optimizer.lr == 1e-4
    assert str(cggm.origin["modulation.rho"]).startswith("specs/tuned/mosi.yaml:")
    assert str(cggm.origin["modulation.preset"]).startswith("specs/experiments/cggm.yaml:")
    assert project.notes == {}
    own = load_table("mosi", Project(desk.root), tuned=False)
    assert own.rows["joint"].experiment.spec.training.optimizer.lr == 1e-3


def test_other_settings_are_noted(desk: Desk) -> None:
    write(desk)
    desk.write("experiments/cggm.yaml", desk.good.replace("epochs: 30", "epochs: 31"))
    project = Project(desk.root)
    assert load_table("mosi", project).rows["joint"].experiment.spec.training.optimizer.lr == 3e-4
    assert "tuned for other settings than these rows have now: Joint, CGGM" in project.notes[
        "specs/tables/mosi.yaml"].message  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[1e-2, 1e-3, 3e-4, 1e-4]", "[1e-2, 1e-3]", "error: rows.Joint.tune: 2 combinations"),
        (", tune: {training.optimizer.lr: [1e-2, 1e-3, 3e-4, 1e-4]}", "", "5:3: error: rows.Joint: no 'tune'"),
        ("tuning: {budget: 4, seed: 1000}", "", "rows.Joint.tune: the table has no tuning"),
        ("seed: 1000", "seed: 1", "8:27: error: tuning.seed: 1 is one of the table's seeds"),
        ("training.optimizer.lr: [1e-2, 1", "training.optimizer.lrr: [1e-2, 1", "lrr"),
        ("[1e-2, 1e-3, 3", "[-1e-2, 1e-3, 3", "5:"),
        ("modulation.rho: [1.0", "modulation.rho: [quick", "6:"),
        ("1e-2, 1e-3, 3e-4", "1e-3, 1e-3, 3e-4", "the value 1e-3 stands twice"),
        ("{training.optimizer.lr: [1e-2", "{seeds: [1e-2", "'seeds' is not tuned"),
        ("{training.optimizer.lr: [1e-2", "{training: [1e-2", "'training.selection' is not tuned"),
        ("{modulation.rho: [1.0, null]", "{modulation: [{kind: none}, {kind: none}]", "stands twice"),
        ("{modulation.rho: [1.0, null]", "{training.optimizer: [{kind: sgd}, {kind: adam}]", "sets 'training.optim"),
        ("tune: {modulation.rho: [1.0, null], training.optimizer.lr: [1e-3, 1e-4]}", "tune: 3", "is not a mapping"),
        ("tune: {modulation.rho: [1.0, null]", "tune: {modulation.rho: []", "is not a mapping"),
        ("budget: 4", "budget: 0", "tuning.budget"),
        ("seeds: [0, 1]", "sweep: {modulation.rho: [1.0]}", "swept rows cannot be tuned"),
        ("seed: 1000", "seed: 1000, epochs: 3", ""),
    ],
)  # fmt: skip
def test_what_a_row_may_try(desk: Desk, old: str, new: str, said: str) -> None:
    if not said:
        assert desk.problems("tables/mosi.yaml", TABLE.replace(old, new, 1)) == []
        return
    assert any(said in str(found) for found in desk.problems("tables/mosi.yaml", TABLE.replace(old, new, 1)))


def test_epochs_are_not_tuned_where_the_table_sets_them(desk: Desk) -> None:
    table = TABLE.replace("training.optimizer.lr: [1e-2, 1e-3, 3e-4, 1e-4]", "training.epochs: [1, 2, 3, 4]")
    assert desk.problems("tables/mosi.yaml", table) == []
    found = desk.problems("tables/mosi.yaml", table.replace("seed: 1000", "seed: 1000, epochs: 3"))
    assert [one.message for one in found] == ["'training.epochs' is not tuned"]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"Joint": {LR: 3e-4}}, "the row 'CGGM' was not tuned"),
        ({"Joint": {LR: 5e-4}, "CGGM": {"modulation.rho": 1.0, LR: 1e-3}}, "0.0005 is not among the row's values"),
        ({"Joint": {LR: 1e-3}, "CGGM": {"modulation.rho": 1.0}}, "was tuned for other keys"),
        ({"Joint": {LR: 1e-3}, "CGGM": {"modulation.rho": 1, LR: 1e-3}}, "1 is not among the row's values"),
        (
            {"Joint": {LR: 1e-3}, "CGGM": {"modulation.rho": 1.0, LR: 1e-3}, "Old": {LR: 1e-3}},
            "the table has no row 'Old'",
        ),
    ],
)
def test_a_stale_choice_is_an_error_that_says_the_command(
    desk: Desk, chosen: dict[str, dict[str, object]], said: str
) -> None:
    write(desk, **chosen)
    (found,) = desk.problems("tables/mosi.yaml")
    assert said in found.message
    assert found.file == "specs/tuned/mosi.yaml"
    assert found.line > 0
    assert "cggm tune mosi" in found.hint
    assert examine_table(desk.root / "specs/tables/mosi.yaml", Project(desk.root), tuned=False)[1] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("kind: tuned", "kind: table"), ("budget: 4", "budget: 0"), ("rows:", "rows: ["), ("kind: tuned", "kind: [")],
)
def test_a_damaged_choice_is_told_with_its_place(desk: Desk, old: str, new: str) -> None:
    write(desk)
    text = (desk.root / "specs/tuned/mosi.yaml").read_text()
    desk.write("tuned/mosi.yaml", text.replace(old, new, 1))
    found = desk.problems("tables/mosi.yaml")
    assert found
    assert all(one.file == "specs/tuned/mosi.yaml" for one in found)
    assert desk.problems("tuned/mosi.yaml")


def test_a_choice_for_no_table(desk: Desk) -> None:
    write(desk)
    (desk.root / "specs/tables/mosi.yaml").unlink()
    (found,) = desk.problems("tuned/mosi.yaml")
    assert found.message == "there is no table 'mosi'"


def test_the_json_schema_has_the_keys() -> None:
    found = schema()["$defs"]
    assert "tune" in found["Row"]["properties"]
    assert set(found["Tuning"]["properties"]) == {"budget", "seed", "epochs"}


def test_a_nested_table(desk: Desk) -> None:
    desk.write("tables/open/mosi.yaml", TABLE)
    assert desk.problems("tables/open/mosi.yaml") == []
    table = load_table("open/mosi", Project(desk.root))
    assert table.name == "open/mosi"
    assert table.rows["joint"].experiment.name == "open/mosi/joint"


@pytest.mark.parametrize("name", ["Open/mosi", "open/data", "tables/mosi", "open/a b", "train/x/evaluation"])
def test_a_nested_table_whose_name_cannot_be(desk: Desk, name: str) -> None:
    assert desk.problems(f"tables/{name}.yaml", TABLE)
