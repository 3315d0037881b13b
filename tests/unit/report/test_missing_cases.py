"""Published numbers per case of missing modalities, rows made of several, and the mean over all incomplete cases."""

from __future__ import annotations

import csv
import io
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from cggm_pipeline.errors import SpecError
from cggm_pipeline.report import protocol as protocols
from cggm_pipeline.report import write
from cggm_pipeline.report.cases import INCOMPLETE, heading, key_of, ordered, over_seeds, value_of
from cggm_pipeline.report.claims import published_cases, published_numbers
from cggm_pipeline.report.delimited import COLUMNS, delimited
from cggm_pipeline.report.latex import latex
from cggm_pipeline.report.lines import cells, studied
from cggm_pipeline.report.markdown import markdown
from cggm_pipeline.report.material import Material, gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.missing import Grid, grids
from cggm_pipeline.report.reading import sentences
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.table import make
from cggm_pipeline.spec import dump, load_resolved
from cggm_pipeline.spec.claims import Claims
from cggm_pipeline.spec.resolved import dump_data

from .conftest import Written, experiment

ROOT = Path(__file__).resolve().parents[3]
SHIFTS = (-0.01, 0.0, 0.01, -0.005, 0.005)
"""Of the five seeds: mean 0, standard deviation 0.79 points."""
VALUES = {"": 0.1, "noisy": 0.3, "rotated": 0.7, "noisy+rotated": 0.8}

CLAIMS = """\
version: 1
kind: claims
paper: Someone, 2024
table: Table 1
dataset: digits
source: [the paper]
status: read
columns:
  r: {metric: accuracy, modalities: [rotated], unit: percent, direction: higher}
  n: {metric: accuracy, modalities: [noisy], unit: percent, direction: higher}
  avg: {metric: accuracy, modalities: incomplete, unit: percent, direction: higher}
  f1: {metric: f1_macro, modalities: [rotated], unit: percent, direction: higher}
  acc: {metric: accuracy, unit: percent, direction: higher}
rows:
  LB: {r: 60.0, n: unknown, avg: 50.0, f1: 59.5, acc: 91.0}
  Ours: {r: 70.4, n: 25.0, avg: 50.0, f1: 69.0, acc: unknown}
"""


def material(written: Written) -> Material:
    return gather(read_table("digits", written.root), written.root)


def score(written: Written, row: str, values: dict[str, float] = VALUES) -> None:
    """Give every test score of a row its subsets, f1_macro a point below accuracy."""
    for one in written.scores:
        if one["row"] == row and one["split"] == "test":
            shift = SHIFTS[one["seed"]]
            one["subsets"] = {
                kept: {"accuracy": value + shift, "f1_macro": value + shift - 0.01} for kept, value in values.items()
            }
    written.put("runs/digits/evaluation/seeds.json", json.dumps(written.scores))


def compose(written: Written, published: dict[str, str] | None, *members: str) -> None:
    """Resolve the table with the row LB made of these."""
    path = written.root / "specs/resolved/tables/digits.yaml"
    data: dict[str, Any] = load_yaml(path)
    for slug in members:
        data["rows"][slug]["part_of"] = {"LB": published}
    path.write_text(dump_data(data))


def load_yaml(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.fixture
def cited(written: Written) -> Written:
    """Joint training is measured over subsets and cites a paper per case."""
    written.put("specs/claims/mplmm.yaml", CLAIMS)
    written.published = {"joint": {"table": "mplmm", "row": "Ours"}}
    written.scores.clear()
    written.write()
    score(written, "joint")
    return written


def by_name(found: list[Grid]) -> dict[str, Grid]:
    return {grid.name: grid for grid in found}


# The mean over all incomplete cases


def test_the_papers_averages_are_means_over_the_proper_subsets() -> None:
    """MPLMM, Table 1: all four accuracies' averages of CMU-MOSI, as it prints them."""
    claims = load_resolved(ROOT / "specs/claims/mplmm-mosi.yaml", Claims)
    names = ["audio", "text", "vision"]
    compared = 0
    for row in claims.rows.values():
        of_cases = {
            frozenset(column.modalities): float(row[label])
            for label, column in claims.columns.items()
            if column.metric == claims.columns["avg_ACC"].metric and isinstance(column.modalities, tuple)
        }
        assert value_of(INCOMPLETE, names, of_cases) == pytest.approx(float(row["avg_ACC"]), abs=0.011)
        compared += 1
    assert compared == 7


def test_the_mean_needs_every_case_and_is_none_of_one_modality() -> None:
    values = {frozenset("a"): 1.0, frozenset("b"): 3.0, frozenset("ab"): 9.0, frozenset(): 0.0}
    assert value_of(INCOMPLETE, "ab", values) == 2.0
    assert value_of(INCOMPLETE, "abc", values) is None
    assert value_of(INCOMPLETE, "a", values) is None
    assert value_of(frozenset("ab"), "ab", values) == 9.0
    assert value_of(frozenset("abc"), "abc", values) is None
    found = over_seeds(INCOMPLETE, "ab", {3: values, 4: {frozenset("a"): 5.0}})
    assert found is not None
    assert found.values == {3: 2.0}
    assert over_seeds(frozenset("c"), "ab", {3: values}) is None


def test_cases_stand_from_small_to_large_and_the_mean_last() -> None:
    cases = ordered([INCOMPLETE, frozenset("ab"), frozenset("b"), frozenset("a"), frozenset("a")])
    assert [heading(case) for case in cases] == ["a", "b", "a + b", "incomplete"]
    assert [key_of(case) for case in cases] == ["a", "b", "a+b", "incomplete"]


# Claims


def test_numbers_of_cases_are_none_of_the_complete_split(cited: Written) -> None:
    ours, theirs = {"table": "mplmm", "row": "Ours"}, {"table": "mplmm", "row": "LB"}
    assert published_numbers(cited.root, ours)["accuracy"].value is None
    assert published_numbers(cited.root, theirs)["accuracy"].value == 91.0
    assert set(published_numbers(cited.root, theirs)) == {"accuracy"}
    found = published_cases(cited.root, theirs)
    assert {key: one.value for key, one in found.items()} == {
        ("accuracy", frozenset({"rotated"})): 60.0,
        ("accuracy", frozenset({"noisy"})): None,
        ("accuracy", INCOMPLETE): 50.0,
        ("f1_macro", frozenset({"rotated"})): 59.5,
    }
    row = next(row for row in make(material(cited)).rows if row.slug == "joint")
    assert row.cells["accuracy"].published.value is None
    assert row.cells["f1_macro"].published is None


def test_a_grid_says_ours_what_was_published_and_the_verdict(cited: Written) -> None:
    found = by_name(grids(material(cited), metric("accuracy")))
    assert list(found) == ["contributions", "missing", "missing-f1_macro"]
    missing = found["missing"]
    assert missing.head == ("noisy", "rotated", "noisy + rotated", "incomplete")
    assert missing.rows == (
        ("Joint training", ("30.0 ± 0.8", "70.0 ± 0.8", "80.0 ± 0.8", "50.0 ± 0.8")),
        ("Joint training: published", ("25, not reproduced (6 sd better)", "70.4, reproduced", "", "50, reproduced")),
    )
    assert missing.caption.endswith("Joint training: published in Someone, 2024, Table 1, Ours.")
    assert "Incomplete: the mean over all proper subsets of the modalities." in missing.caption


def test_another_metric_that_is_cited_per_case_has_a_grid_of_its_own(cited: Written) -> None:
    other = by_name(grids(material(cited), metric("accuracy")))["missing-f1_macro"]
    assert other.title == "Missing modalities at test time: Macro F1"
    assert other.rows == (
        ("Joint training", ("29.0 ± 0.8", "69.0 ± 0.8", "79.0 ± 0.8", "49.0 ± 0.8")),
        ("Joint training: published", ("", "69, reproduced", "", "")),
    )
    assert [grid.name for grid in grids(material(cited), metric("f1_macro"))][1:] == ["missing", "missing-accuracy"]


def test_what_was_not_measured_is_not_run_and_what_is_unknown_is_not_reported(written: Written) -> None:
    written.put("specs/claims/mplmm.yaml", CLAIMS)
    written.published = {"ogm-ge": {"table": "mplmm", "row": "LB"}}
    written.scores.clear()
    written.write()
    (missing, _) = grids(material(written), metric("accuracy"))
    assert missing.rows == (
        ("OGM-GE", ("–", "–", "–")),
        ("OGM-GE: published", ("not reported", "60, not run", "50, not run")),
    )


def test_data_that_are_not_the_real_ones_get_no_verdict(cited: Written) -> None:
    for path in cited.runs.glob("*/train/manifest.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "banner": "Made up"}))
    missing = by_name(grids(material(cited), metric("accuracy")))["missing"]
    assert missing.rows[1][1][1] == "70.4, no verdict: not the real data"


def test_the_reading_counts_the_cases_too(cited: Written) -> None:
    found = material(cited)
    said = {one.head: one.text for one in sentences(make(found), found)}
    assert said["Published numbers"] == "3 of 4 lie within 2 of our standard deviations."


# Composites


@pytest.fixture
def composite(cited: Written) -> Written:
    compose(cited, {"table": "mplmm", "row": "LB"}, "unimodal-rotated", "unimodal-noisy", "cggm-stable")
    return cited


def test_a_composites_case_is_the_row_that_uses_exactly_these(composite: Written) -> None:
    found = material(composite)
    missing = by_name(grids(found, metric("accuracy")))["missing"]
    made = make(found)
    by_slug = {row.slug: made.cell(row).summary for row in made.rows}
    text = metric("accuracy").text
    expected = [
        f"{text(one.mean)} ± {text(one.sd)}"
        for one in (by_slug["unimodal-noisy"], by_slug["unimodal-rotated"], by_slug["cggm-stable"])
    ]
    label, cells_ = missing.rows[2]
    assert label == "LB"
    assert list(cells_[:3]) == expected
    mean = (by_slug["unimodal-noisy"].mean + by_slug["unimodal-rotated"].mean) / 2
    assert cells_[3].startswith(f"{text(mean)} ± ")
    assert missing.rows[3][0] == "LB: published"
    assert missing.rows[3][1][0] == "not reported"
    assert missing.rows[3][1][1].startswith("60, within ")
    assert "LB: in each case the row that was trained and tested with these modalities alone." in missing.caption
    assert "LB: published in Someone, 2024, Table 1, LB." in missing.caption


def test_a_composite_contributes_nothing_and_is_no_row_of_the_table(composite: Written) -> None:
    found = material(composite)
    assert [label for label, _ in grids(found, metric("accuracy"))[0].rows] == ["Joint training"]
    assert "LB" not in [row.label for row in make(found).rows]


def test_a_case_without_a_member_is_a_dash_and_so_is_the_mean(cited: Written) -> None:
    compose(cited, None, "unimodal-rotated")
    label, texts = by_name(grids(material(cited), metric("accuracy")))["missing"].rows[2]
    assert (label, texts[0], texts[2], texts[3]) == ("LB", "–", "–", "–")
    assert texts[1] != "–"


def test_rows_with_fewer_modalities_stand_in_the_grid_too(cited: Written) -> None:
    third = {"a": 0.2, "a+noisy": 0.4, "a+noisy+rotated": 0.9, "a+rotated": 0.5, **VALUES}
    score(cited, "ogm-ge", third)
    missing = by_name(grids(material(cited), metric("accuracy")))["missing"]
    assert missing.head[-1] == "incomplete"
    rows = dict(missing.rows)
    assert rows["OGM-GE"][-1] == "48.3 ± 0.8"  # (0.2 + 0.3 + 0.7 + 0.4 + 0.5 + 0.8) / 6
    assert rows["Joint training"][-1] == "–"  # it was never asked with the third one
    assert dict(zip(missing.head, rows["Joint training"], strict=True))["noisy + rotated"] == "80.0 ± 0.8"


def test_of_many_modalities_the_cases_that_are_cited_have_columns_and_a_composite_no_half_means(
    cited: Written,
) -> None:
    names = "bcd"
    subsets = {"": 0.1}
    for size in range(1, 5):
        subsets |= {"+".join(kept): size / 10 for kept in combinations([*names, "rotated"], size)}
    score(cited, "joint", subsets)
    compose(cited, None, "unimodal-rotated")
    text = CLAIMS.replace("modalities: [noisy]", "modalities: [b, c]")
    cited.put("specs/claims/mplmm.yaml", text)
    missing = by_name(grids(material(cited), metric("accuracy")))["missing"]
    assert missing.head == (
        *(f"{number} missing" for number in range(4)),
        "rotated",
        "b + c",
        "incomplete",
    )
    rows = dict(missing.rows)
    assert rows["Joint training"] == (
        *("40.0 ± 0.8", "30.0 ± 0.8", "20.0 ± 0.8", "10.0 ± 0.8"),
        *("10.0 ± 0.8", "20.0 ± 0.8", "20.0 ± 0.8"),
    )
    assert rows["Joint training: published"][:4] == ("", "", "", "")
    assert rows["LB"][:4] == ("–", "–", "–", "–")  # one of four members is not their mean
    assert rows["LB"][4] != "–"


def test_what_is_no_composite_is_said(cited: Written) -> None:
    path = cited.root / "specs/resolved/tables/digits.yaml"
    data = load_yaml(path)
    data["rows"]["joint"]["part_of"] = ["LB"]
    path.write_text(dump_data(data))
    with pytest.raises(SpecError, match=r"rows\.joint\.part_of.*is not a mapping"):
        material(cited)


# Files


def printed(written: Written, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All files of the report, without figures."""
    monkeypatch.setattr("cggm_pipeline.report.figures.draw", lambda table, material: [])
    with open("/dev/null", "w") as file:
        write("digits", written.root, Console(file=file))
    names = ("report.html", "table.md", "table.csv", "table.tex")
    return {name: (written.runs / name).read_text() for name in names}


def test_page_markdown_and_latex_say_the_same(composite: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = printed(composite, monkeypatch)
    for name in ("report.html", "table.md", "table.tex"):
        words = texts[name].replace(r"$\pm$", "±").replace("\\_", "_")
        for wanted in ("Missing modalities at test time: Macro F1", "70.4, reproduced", "50.0 ± 0.8", "LB: published"):
            assert wanted.lower() in words.lower(), (name, wanted)
    assert 'id="missing-f1_macro"' in texts["report.html"]


def test_the_latex_of_a_grid_is_cut_to_the_width_of_a_page(composite: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"m{index}" for index in range(3)]
    subsets = {"": 0.1, **dict.fromkeys([*names, "m0+m1", "m0+m2", "m1+m2", "m0+m1+m2"], 0.5)}
    score(composite, "joint", subsets)
    part = printed(composite, monkeypatch)["table.tex"].split("tab:digits-missing}")[1].split(r"\end{table}")[0]
    assert part.count(r"\begin{tabular}{lrrrrrr}") == 1
    assert part.count(r"\begin{tabular}") == 2
    assert part.count(r"\toprule") == part.count(r"\bottomrule") == 2


def test_csv_has_a_line_for_every_case_unrounded(composite: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(csv.DictReader(io.StringIO(printed(composite, monkeypatch)["table.csv"])))
    assert tuple(lines[0]) == (*COLUMNS, "case")
    assert sum(not line["case"] for line in lines) == 8 * 3
    found = {(line["row"], line["metric"], line["case"]): line for line in lines if line["case"]}
    one = found["joint", "accuracy", "rotated"]
    assert float(one["mean"]) == pytest.approx(0.7, abs=1e-12)
    assert (one["n"], one["published"], one["verdict"], one["unit"]) == ("5", "70.4", "reproduced", "%")
    assert found["joint", "f1_macro", "rotated"]["published"] == "69.0"
    assert found["joint", "accuracy", "incomplete"]["verdict"] == "reproduced"
    assert found["lb", "accuracy", "noisy"]["label"] == "LB"
    assert ("ogm-ge", "accuracy", "rotated") not in found
    assert one["protocol"] == lines[0]["protocol"]


def test_tables_that_ask_nothing_of_this_are_printed_as_before(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(written, "joint")
    found = material(written)
    assert not studied(found)
    table = make(found)
    protocol = protocols.make(found, table.metrics)
    texts = printed(written, monkeypatch)
    assert texts["table.csv"] == delimited(table, protocol)
    assert texts["table.tex"] == latex(table, protocol)
    plain = grids(found, metric("accuracy"))
    assert [grid.name for grid in plain] == ["contributions", "missing"]
    assert plain[1].head == ("noisy", "rotated", "noisy + rotated")
    assert texts["table.md"] == markdown(table, protocol, plain)
    assert "missing patterns" not in dict(protocol.entries())


def test_a_pattern_is_part_of_the_protocol_and_asks_for_the_mean(written: Written) -> None:
    score(written, "joint")
    before = protocols.make(material(written), make(material(written)).metrics).hash
    missing = {"train": {"kind": "incomplete", "share": 0.7}, "redraw": True}
    written.put("specs/resolved/digits/joint.yaml", dump(experiment(missing=missing)))
    found = material(written)
    assert grids(found, metric("accuracy"))[1].head[-1] == "incomplete"
    protocol = protocols.make(found, make(found).metrics)
    assert protocol.hash != before
    block = protocol.rows["joint"]["missing patterns"]
    assert protocols.plain(block) == ("train incomplete, share 0.7, valid natural, test natural, redraw yes")


def test_only_what_has_a_number_of_ours_or_theirs_is_a_cell(cited: Written) -> None:
    found = cells(material(cited), metric("accuracy"))
    assert {(one.slug, one.metric.name, one.case) for one in found} == {
        ("joint", name, case)
        for name in ("accuracy", "f1_macro")
        for case in ("noisy", "rotated", "noisy+rotated", "incomplete")
    }
