"""Modalities missing at random at growing rates: the grid, the figure and the files."""

from __future__ import annotations

import csv
import io
import json
import math
from xml.etree import ElementTree

import pytest
from rich.console import Console

from cggm_pipeline.report import write
from cggm_pipeline.report.figures import draw
from cggm_pipeline.report.figures.rates import missing_rates
from cggm_pipeline.report.figures.style import looks
from cggm_pipeline.report.material import Material, gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.rates import rate_cells, rate_grids, rates_of
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.table import make
from cggm_pipeline.spec import dump

from .conftest import Written, experiment

RATES = (0.0, 0.3, 0.9)
ACCURACY = metric("accuracy")


def material(written: Written) -> Material:
    return gather(read_table("digits", written.root), written.root)


def score(written: Written, row: str, best: float, rates: tuple[float, ...] = RATES, seeds: int = 5) -> None:
    """Give the test scores of a row an accuracy that falls by half of the rate; seed s is s points better."""
    for one in written.scores:
        if one["row"] == row and one["split"] == "test" and one["seed"] < seeds:
            one["rates"] = {str(rate): {"accuracy": best - rate / 2 + one["seed"] / 100} for rate in rates}
    written.put("runs/digits/evaluation/seeds.json", json.dumps(written.scores))
    spec = experiment(evaluation={"missing_rates": list(rates)})
    written.put(f"specs/resolved/digits/{row}.yaml", dump(spec))


@pytest.fixture
def scored(written: Written) -> Written:
    score(written, "joint", 0.8)
    score(written, "ogm-ge", 0.7, (0.3, 0.5), seeds=1)
    return written


def test_the_grid_has_a_column_per_rate_and_a_line_per_row(scored: Written) -> None:
    (grid,) = rate_grids(material(scored), ACCURACY)
    assert grid.head == ("0 %", "30 %", "50 %", "90 %")
    assert grid.rows == (
        ("Joint training", ("82.0 ± 1.6", "67.0 ± 1.6", "–", "37.0 ± 1.6")),
        ("OGM-GE", ("–", "55.0", "45.0", "–")),
    )
    assert grid.caption.startswith("Test accuracy of the trained network. At a rate every modality")
    assert "Drawn from the run's seed and the samples' ids" in grid.caption


def test_nothing_measured_is_no_grid_no_figure_and_no_cell(written: Written) -> None:
    found = material(written)
    assert rate_grids(found, ACCURACY) == []
    assert rate_cells(found, ACCURACY) == []
    assert missing_rates(found, {}, ACCURACY) is None
    assert rate_grids(found, metric("f1_macro")) == []


def test_rates_are_in_order_whatever_the_file_says(scored: Written) -> None:
    for one in scored.scores:
        if "rates" in one:
            one["rates"] = dict(reversed(one["rates"].items()))
    scored.put("runs/digits/evaluation/seeds.json", json.dumps(scored.scores))
    assert list(rates_of(material(scored), ACCURACY)["joint"]) == list(RATES)


def test_the_figure_draws_every_row_that_has_a_curve(scored: Written) -> None:
    found = material(scored)
    table = make(found)
    look = looks([row.slug for row in table.rows], [row.label for row in table.rows], table.baseline)
    figure = missing_rates(found, look, ACCURACY)
    assert [one.label for one in figure.key] == ["Joint training", "OGM-GE"]
    (panel,) = figure.panels
    element = ElementTree.fromstring(panel.svg)
    assert element.tag == "svg"
    assert panel.alt == (
        "Test accuracy over the missing rate: Joint training 82.0 at 0 %, 37.0 at 90 %; "
        "OGM-GE 55.0 at 30 %, 45.0 at 50 %."
    )
    assert panel.svg.count(look["joint"].colour) >= 2  # a band and a line
    assert "missing rate" in panel.svg
    assert "nan" not in panel.svg.lower()
    assert figure.caption.endswith("Nothing is trained for it.")


def test_one_rate_is_no_curve(written: Written) -> None:
    score(written, "joint", 0.8, (0.3,))
    found = material(written)
    assert missing_rates(found, looks(["joint"], ["Joint training"], "joint"), ACCURACY) is None
    assert len(rate_grids(found, ACCURACY)) == 1


def test_the_page_has_grid_and_figure_under_names_of_their_own(
    scored: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = material(scored)
    table = make(found)
    look = looks([row.slug for row in table.rows], [row.label for row in table.rows], table.baseline)
    figure = missing_rates(found, look, ACCURACY)
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [figure])
    with open("/dev/null", "w") as file:
        page = write("digits", scored.root, Console(file=file)).read_text()
    assert page.count('id="missing-rates"') == page.count('id="rates"') == 1
    assert '<a href="#rates">Missing</a>' in page
    for name in ("table.md", "table.tex"):
        text = (scored.runs / name).read_text()
        assert "odalities missing at random" in text
        assert "67.0" in text
    lines = list(csv.DictReader(io.StringIO((scored.runs / "table.csv").read_text())))
    cases = {line["case"]: float(line["mean"]) for line in lines if line["case"] and line["row"] == "joint"}
    assert set(cases) == {"rate 0", "rate 0.3", "rate 0.9"}
    assert all(math.isclose(cases[f"rate {rate:g}"], 0.82 - rate / 2) for rate in RATES)


def test_it_is_drawn_with_the_others(scored: Written) -> None:
    found = material(scored)
    names = [figure.name for figure in draw(make(found), found)]
    assert names[:3] == ["results", "rates", "probes"]


def test_what_is_measured_besides_is_no_other_training(scored: Written) -> None:
    """Rates that are asked for after a row was trained do not mark it."""
    joint = next(row for row in make(material(scored)).rows if row.slug == "joint")
    assert joint.edited == ()
    scored.put("specs/resolved/digits/joint.yaml", dump(experiment(missing={"train": {"kind": "rate", "rate": 0.5}})))
    joint = next(row for row in make(material(scored)).rows if row.slug == "joint")
    assert joint.edited == ("it was trained with other settings: missing.train.kind, missing.train.rate",)
