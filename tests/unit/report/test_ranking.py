"""A ranking's files: what they say, in every form, and what is said where something is missing."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from rich.console import Console

from cggm_pipeline.errors import DataError, SpecError
from cggm_pipeline.report.figures.ranks import _rows
from cggm_pipeline.report.rank import rank, sentences
from cggm_pipeline.report.ranking import make
from cggm_pipeline.spec.resolved import dump_data

ROWS = {"joint": "Joint", "ogm-ge": "OGM-GE", "cggm": "CGGM <b>|"}
MEANS = {
    "open/a": {"joint": 0.5, "ogm-ge": 0.6, "cggm": 0.7},
    "open/b": {"joint": 0.8, "ogm-ge": 0.9, "cggm": 0.9},
    "open/c": {"joint": 0.1, "ogm-ge": None, "cggm": 0.2},
}


@pytest.fixture
def ranked(tmp_path: Path) -> Path:
    tables = {name: {"task": "classification", "metric": None, "title": name.upper()} for name in MEANS}
    write(tmp_path, {"title": "The open benchmark", "tables": tables, "rows": ROWS})
    for table, means in MEANS.items():
        path = tmp_path / "runs" / table / "metrics.json"
        path.parent.mkdir(parents=True)
        found = {
            row: {"test": {"n": 0} if mean is None else {"n": 2, "accuracy": {"mean": mean, "std": 0.1}}}
            for row, mean in means.items()
        }
        path.write_text(json.dumps(found))
    return tmp_path


def write(root: Path, data: dict) -> None:
    path = root / "specs/resolved/rankings/open.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump_data(data), encoding="utf-8")


def test_average_ranks_with_ties_and_a_failure(ranked):
    found = make("open", ranked)
    assert {method.slug: method.ranks for method in found.methods} == {
        "cggm": (1.0, 1.5, 1.0),
        "ogm-ge": (2.0, 1.5, 3.0),
        "joint": (3.0, 3.0, 2.0),
    }
    assert [method.slug for method in found.methods] == ["cggm", "ogm-ge", "joint"]
    assert found.methods[0].rank == pytest.approx(3.5 / 3)


def test_less_is_better_where_the_metric_says_so(ranked):
    tables = {name: {"task": "classification", "metric": "nll", "title": name} for name in MEANS}
    write(ranked, {"title": "", "tables": tables, "rows": ROWS})
    for table in MEANS:
        path = ranked / "runs" / table / "metrics.json"
        path.write_text(path.read_text().replace('"accuracy"', '"nll"'))
    assert [method.slug for method in make("open", ranked).methods] == ["joint", "ogm-ge", "cggm"]


def test_all_files_and_the_terminal(ranked):
    text = io.StringIO()
    page = rank("open", ranked, Console(file=text, width=40))
    folder = ranked / "runs/rankings/open"
    assert page == folder / "ranking.html"
    assert sorted(path.name for path in folder.iterdir()) == [f"ranking.{end}" for end in ("csv", "html", "md", "svg")]
    assert "CGGM &lt;b&gt;|" in page.read_text()
    assert "<b>" not in page.read_text()
    assert "| CGGM \\<b\\>\\| | 1.17 | 70.0 (1) | 90.0 (1.5) | 20.0 (1) |" in (folder / "ranking.md").read_text()
    assert "failed (3)" in (folder / "ranking.md").read_text()
    lines = list(csv.DictReader(io.StringIO((folder / "ranking.csv").read_text())))
    assert len(lines) == 9
    assert (lines[1]["table"], lines[1]["rank"], lines[1]["mean"]) == ("open/b", "1.5", "0.9")
    ElementTree.parse(folder / "ranking.svg")  # written by this test
    assert any(line.strip().startswith("CGGM <b>|") and "1.17" in line for line in text.getvalue().splitlines())
    before = (folder / "ranking.svg").read_bytes()
    rank("open", ranked, Console(file=io.StringIO()))
    assert (folder / "ranking.svg").read_bytes() == before


def test_too_few_data_sets_is_said_plainly(ranked):
    tables = {name: {"task": "classification", "metric": None, "title": name} for name in list(MEANS)[:2]}
    write(ranked, {"title": "", "tables": tables, "rows": ROWS})
    found = make("open", ranked)
    assert found.least == 3
    assert any("2 data sets are too few for any difference" in sentence for sentence in sentences(found))
    write(
        ranked,
        {"title": "", "tables": dict(list(tables.items())[:1]) | tables | {"open/c": tables["open/a"]}, "rows": ROWS},
    )
    said = " ".join(sentences(make("open", ranked)))
    assert "too few" not in said
    assert "No method is told apart from the best ranked, CGGM" in said
    assert "Friedman: chi2 = " in said


def test_a_method_that_was_not_run_is_left_out_and_named(ranked):
    path = ranked / "runs/open/b/metrics.json"
    kept = json.loads(path.read_text())
    del kept["ogm-ge"]
    path.write_text(json.dumps(kept))
    found = make("open", ranked)
    assert [method.slug for method in found.methods] == ["cggm", "joint"]
    assert "Not ranked: OGM-GE (not run in open/b)." in sentences(found)
    del kept["joint"]
    path.write_text(json.dumps(kept))
    with pytest.raises(DataError, match="fewer than two methods were run in every table"):
        make("open", ranked)


def test_made_up_data_are_said_above_everything(ranked):
    path = ranked / "runs/open/a/joint/train/manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"digest": "0", "counts": {}, "classes": [], "banner": "Made-up data"}))
    text = io.StringIO()
    page = rank("open", ranked, Console(file=text))
    assert text.getvalue().splitlines()[0].strip() == "Made-up data"
    for file in (page, page.with_name("ranking.md"), page.with_name("ranking.csv")):
        assert "Made-up data" in file.read_text()


@pytest.mark.parametrize(
    ("path", "text", "error", "said"),
    [
        ("runs/open/a/metrics.json", "{", DataError, "it is damaged"),
        ("runs/open/a/metrics.json", '{"joint": 3}', DataError, "it is damaged"),
        (
            "runs/open/a/metrics.json",
            '{"joint": {"test": {"n": 2}}}',
            DataError,
            "'accuracy' was not measured of joint",
        ),
        ("specs/resolved/rankings/open.yaml", "title: x", SpecError, "is damaged"),
        ("specs/resolved/rankings/open.yaml", "title: [", SpecError, "open.yaml:1"),
    ],
)
def test_damaged_files_are_told_with_their_place(ranked, path, text, error, said):
    (ranked / path).write_text(text)
    with pytest.raises(error, match=said):
        make("open", ranked)


def test_what_is_missing_is_said(ranked):
    (ranked / "runs/open/a/metrics.json").unlink()
    with pytest.raises(DataError, match=r"runs/open/a/metrics.json: error: the table was not evaluated"):
        make("open", ranked)
    with pytest.raises(SpecError, match="does not exist"):
        make("other", ranked)
    with pytest.raises(SpecError, match="is not the name of a ranking"):
        make("../open", ranked)


def test_bars_of_one_line_do_not_overlap():
    assert _rows([(0, 2), (1, 3), (3, 4), (4, 5)]) == [0, 1, 0, 1]
