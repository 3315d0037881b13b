"""Figures: well-formed, the same each time, empty never."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from cggm_pipeline.report.figures import draw
from cggm_pipeline.report.figures.curves import _mean_spread, _power
from cggm_pipeline.report.figures.forest import reach
from cggm_pipeline.report.figures.style import BASELINE, looks
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.statistics import Difference
from cggm_pipeline.report.table import make

from .conftest import ROWS, Written


def drawn(written):
    material = gather(read_table("digits", written.root), written.root)
    return {figure.name: figure for figure in draw(make(material), material)}


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The figures of a finished table, drawn once."""
    return drawn(Written(tmp_path_factory.mktemp("figures")).write())


def test_every_figure_is_there_and_every_panel_is_an_svg_that_parses(figures):
    assert list(figures) == ["results", "probes", "learning", "B", "cos", "eps", "grad_norm", "confusion", "cost"]
    assert [len(figure.panels) for figure in figures.values()] == [3, 2, 3, 2, 2, 2, 2, 3, 3]
    for figure in figures.values():
        assert figure.caption.endswith(".")
        for panel in figure.panels:
            element = ElementTree.fromstring(panel.svg)
            assert element.tag == "svg"
            assert element.get("width") == "100%"
            assert element.get("height") is None
            assert "://" not in panel.svg
            assert panel.alt.endswith(".")


def test_no_two_elements_of_a_page_share_an_id_and_every_reference_leads_somewhere(figures):
    text = "".join(panel.svg for figure in figures.values() for panel in figure.panels)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    assert wanted <= set(ids)


def test_the_same_runs_give_the_same_bytes(written, figures):
    assert drawn(written) == figures


def test_labels_of_rows_stand_in_the_drawing_as_text(figures):
    svg = figures["results"].panels[0].svg
    for label, _, _ in ROWS.values():
        assert label in svg


def test_nothing_is_drawn_empty(written):
    for path in written.runs.glob("*/train/seed-*/history.csv"):
        path.write_text("epoch\n")
    for path in written.runs.glob("*/cost.json"):
        path.unlink()
    written.put("runs/digits/evaluation/confusion.json", "{}")
    bare = [score | {"probes": {}} for score in written.scores]
    written.put("runs/digits/evaluation/seeds.json", json.dumps(bare))
    figures = drawn(written)
    assert list(figures) == ["results", "cost"]
    assert len(figures["cost"].panels) == 1  # parameters are in the summaries


def test_the_baseline_is_dark_and_colours_follow_the_table():
    many = [f"row-{number}" for number in range(25)]
    found = looks(many, many, "row-3")
    assert found["row-3"].colour == BASELINE
    assert len({(look.colour, str(look.dash)) for look in found.values()}) == 25


def test_the_band_is_the_sample_standard_deviation_of_the_seeds_that_still_run():
    mean, spread = _mean_spread(np.array([[1.0, 2.0, 5.0], [3.0, np.nan, np.nan]]))
    assert mean.tolist() == [2.0, 2.0, 5.0]
    assert spread[0] == pytest.approx(np.std([1, 3], ddof=1))
    assert spread[1:].tolist() == [0.0, 0.0]


def test_powers_of_ten():
    assert [_power(exponent) for exponent in (1, 6, 12)] == ["10¹", "10⁶", "10¹²"]


def test_one_broken_method_does_not_flatten_the_others():
    def one(mean: float, half: float) -> Difference:
        return Difference(mean, mean - half, mean + half, 5, "seeds")

    assert reach([one(1, 1), one(-1, 1), one(-78, 6)]) == 6.0
    assert reach([one(-78, 6), one(-49, 10)]) == math.inf
    assert reach([one(0, 0), one(0, 0)]) == math.inf
    assert reach([Difference(0.1, math.nan, math.nan, 1, "none")]) == math.inf
