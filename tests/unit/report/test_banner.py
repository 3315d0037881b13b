"""A table of made-up data says so in every printed form, and gives no verdict."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console

from cggm_pipeline.report import write
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.reading import sentences
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.table import make

from .test_table import CLAIMS

BANNER = "made by `cggm twin digits` with seed 0: no real data, no result"


@pytest.fixture
def claimed(written):
    """A table with a published number beside one row; `written.mark` marks the data of another."""
    written.put("specs/claims/cggm.yaml", CLAIMS)
    written.published = {"cggm-stable": {"table": "cggm", "row": "CGGM"}}
    written.scores.clear()
    return written.write()


def mark(written) -> None:
    path = written.runs / "joint" / "train" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "banner": BANNER}))


def verdicts(written) -> set[str]:
    table = make(gather(read_table("digits", written.root), written.root))
    return {cell.verdict.text for row in table.rows for cell in row.cells.values() if cell.published} - {""}


def test_no_verdict_is_given_where_any_data_of_the_table_are_made_up(claimed):
    assert verdicts(claimed)
    assert not any("no verdict" in text for text in verdicts(claimed))
    mark(claimed)
    assert verdicts(claimed) == {"no verdict: not the real data"}
    material = gather(read_table("digits", claimed.root), claimed.root)
    said = sentences(make(material), material)
    assert said[0].text == f"{BANNER}."
    assert not any(one.head == "Published numbers" for one in said)


def test_every_printed_form_says_so(claimed, monkeypatch):
    mark(claimed)
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])
    text = io.StringIO()
    write("digits", claimed.root, Console(file=text, width=60))
    assert text.getvalue().split("\n")[1] == f"  {BANNER}"
    assert (claimed.runs / "table.md").read_text().split("\n\n")[1].startswith("> **made by \\`cggm twin digits")
    assert "\\caption{made by `cggm twin digits` with seed 0" in (claimed.runs / "table.tex").read_text()
    rows = list(csv.DictReader(io.StringIO((claimed.runs / "table.csv").read_text())))
    assert {row["banner"] for row in rows} == {BANNER}
    page = (claimed.runs / "report.html").read_text()
    assert f'<p class="banner" role="note">{BANNER}</p>' in page
    for name in ("table.md", "table.tex", "table.csv", "report.html"):
        assert "no verdict: not the real data" in (claimed.runs / name).read_text(), name
    assert "no verdict: not the real data" in text.getvalue()


def test_real_data_have_no_banner(claimed, monkeypatch):
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])
    write("digits", claimed.root, Console(file=io.StringIO()))
    assert 'class="banner"' not in (claimed.runs / "report.html").read_text()
    assert {row["banner"] for row in csv.DictReader(io.StringIO((claimed.runs / "table.csv").read_text()))} == {""}
