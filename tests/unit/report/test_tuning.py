"""What a report says of tuning, and the marks of differences that survive Holm's correction."""

from __future__ import annotations

import csv
import io

import pytest
import yaml
from rich.console import Console

from cggm_pipeline.errors import SpecError
from cggm_pipeline.report import protocol as protocols
from cggm_pipeline.report.latex import latex
from cggm_pipeline.report.markdown import markdown
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.statistics import holm
from cggm_pipeline.report.table import make
from cggm_pipeline.report.write import write
from cggm_pipeline.spec.resolved import dump_data

RECORD = {"budget": 4, "seed": 1000, "epochs": None, "values": {"training.optimizer.lr": 1e-3}, "fresh": True}


@pytest.fixture
def quiet():
    return Console(file=io.StringIO())


@pytest.fixture
def undrawn(monkeypatch):
    """No figures: they take most of a report's time."""
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])


def tuned(written, **changes):
    """The table as `cggm compile` writes it, with the same tuning record in every row."""
    path = written.root / "specs/resolved/tables/digits.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for row in data["rows"].values():
        row["tuned"] = {**RECORD, **changes}
    path.write_text(dump_data(data), encoding="utf-8")


def made(written):
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    return material, table, protocols.make(material, table.metrics)


def test_the_protocol_names_budget_and_seed(written):
    _, _, before = made(written)
    tuned(written)
    _, _, protocol = made(written)
    assert protocol.common["tuning"] == {"combinations for each row": 4, "seed": 1000, "epochs": "as the row"}
    assert "tuned over 4 combinations a row with seed 1000" in protocol.line
    assert protocol.hash != before.hash
    assert "tuning" not in before.common


def test_it_says_that_a_table_is_not_tuned_or_for_other_settings(written):
    tuned(written, values=None)
    assert "not tuned" in made(written)[2].line
    tuned(written, fresh=False)
    assert made(written)[2].common["tuning"]["note"] == "for other settings than the row has now"


def test_the_chosen_values_stand_below_the_table(written, quiet, undrawn):
    tuned(written)
    page = write("digits", written.root, quiet)
    for file in (page, page.with_name("table.md")):
        text = file.read_text(encoding="utf-8")
        assert "Tuned values" in text
        assert "training.optimizer.lr 0.001" in text
        assert "The best of 4 combinations for each row" in text


@pytest.mark.parametrize("damage", ["x", {"budget": 4}, {**RECORD, "seed": "one"}, {**RECORD, "values": 3}])
def test_a_damaged_record_is_told_with_its_place(written, damage):
    path = written.root / "specs/resolved/tables/digits.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["rows"]["joint"]["tuned"] = damage
    path.write_text(dump_data(data), encoding="utf-8")
    with pytest.raises(SpecError, match=r"rows.joint.tuned: is damaged\s+run `cggm compile`"):
        read_table("digits", written.root)


def test_every_column_of_differences_is_corrected_over_its_rows(written):
    _, table, _ = made(written)
    for reference in table.references:
        found = list(reference.differences.values())
        assert [one.holm for one in found] == holm([one.p for one in found])
    for metric in table.metrics:
        cells = [row.cells[metric.name].difference for row in table.rows if row is not table.base]
        assert [one.holm for one in cells] == holm([one.p for one in cells])


def test_what_survives_has_a_dagger_in_every_form(written, quiet, undrawn):
    _, table, protocol = made(written)
    base = table.references[0]
    kept = {slug for slug, one in base.differences.items() if one.survives}
    decided = {slug for slug, one in base.differences.items() if one.decided}
    assert kept
    assert kept <= decided
    labels = {row.label for row in table.rows if row.slug in kept}
    printed = markdown(table, protocol).split("## Other metrics")[0]
    column = {cells[1].strip(" \\*"): cells[4] for line in printed.splitlines() if len(cells := line.split("|")) > 5}
    assert {label for label, cell in column.items() if "\u2020" in cell} == labels
    assert "p \\< 0.05 after Holm's correction over the 7 rows" in printed
    text = latex(table, protocol)
    assert "$\\dagger$" in text
    assert "\u2020" not in text
    page = write("digits", written.root, quiet)
    assert "after Holm&#39;s correction over the 7 rows" in page.read_text(encoding="utf-8")
    lines = csv.DictReader(io.StringIO(page.with_name("table.csv").read_text(encoding="utf-8")))
    adjusted = {line["row"]: line["p_holm"] for line in lines if line["metric"] == "accuracy" and line["p_holm"]}
    assert {slug for slug, p in adjusted.items() if float(p) < 0.05} == kept
    assert set(adjusted) == set(base.differences)
