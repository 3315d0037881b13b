"""The table as data: numbers, differences, failures, claims, marks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from math import nan

import numpy as np
import pytest

from cggm_pipeline.errors import DataError, SpecError
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.statistics import crossed_difference, t_difference
from cggm_pipeline.report.table import make
from cggm_pipeline.spec import dump

from .conftest import experiment

CLAIMS = """\
version: 1
kind: claims
paper: Guo et al. 2024
table: Table 2
dataset: Digits
source: [a test]
status: invented for a test
columns:
  Acc: {metric: accuracy, unit: percent, direction: higher}
  F1: {metric: f1_macro, unit: percent, direction: higher}
rows:
  CGGM: {Acc: 99.9, F1: unknown}
"""

DATASET = """\
version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""

TABLE = """\
version: 1
kind: table
base: experiments/digits/joint.yaml
rows: {Joint: {}}
"""


def table_of(written):
    return make(gather(read_table("digits", written.root), written.root))


def row(table, slug):
    return next(row for row in table.rows if row.slug == slug)


def accuracies(written, slug):
    scores = [s for s in written.scores if s["row"] == slug and s["split"] == "test"]
    return {s["seed"]: s["metrics"]["accuracy"] for s in scores}


def test_a_cell_is_mean_and_spread_of_the_test_split(written):
    table = table_of(written)
    values = list(accuracies(written, "cggm-stable").values())
    found = table.cell(row(table, "cggm-stable")).summary
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert [metric.name for metric in table.metrics] == ["accuracy", "loss", "f1_macro"]


def test_accuracy_is_compared_sample_by_sample_and_f1_by_seed(written):
    table = table_of(written)
    cells = row(table, "cggm-stable").cells
    sides = []
    for slug in ("cggm-stable", "joint"):
        files = [np.load(written.runs / "evaluation" / "predictions" / f"{slug}-{seed}.npz") for seed in range(5)]
        sides.append([(file["prediction"].argmax(1) == file["target"]).astype(float) for file in files])
    assert replace(cells["accuracy"].difference, holm=nan) == replace(crossed_difference(*sides), holm=nan)
    assert cells["accuracy"].difference.covers == "seeds and samples"
    f1 = {
        slug: {seed: value - 0.004 for seed, value in accuracies(written, slug).items()}
        for slug in ("cggm-stable", "joint")
    }
    assert replace(cells["f1_macro"].difference, holm=nan) == replace(
        t_difference(f1["cggm-stable"], f1["joint"]), holm=nan
    )
    assert table.cell(row(table, "joint")).difference is None


def test_references_are_the_baseline_and_joint_with_unimodal_losses(written):
    table = table_of(written)
    assert [reference.slug for reference in table.references] == ["joint", "joint-unimodal-losses"]
    mirrored = table.references[1].differences["joint"].mean
    assert mirrored == pytest.approx(-table.references[0].differences["joint-unimodal-losses"].mean)


def test_other_samples_are_not_paired(written):
    path = written.runs / "evaluation" / "predictions" / "joint-0.npz"
    file = dict(np.load(path))
    file["ids"] = file["ids"][::-1]
    np.savez(path, **file)
    table = table_of(written)
    assert table.cell(row(table, "ogm-ge")).difference.covers == "seeds"


def test_a_row_whose_seeds_all_failed(written):
    for seed in written.seeds:
        written.fail("cggm-paper", seed)
    failed = row(table_of(written), "cggm-paper")
    assert failed.failed
    assert not failed.ran
    assert failed.note == "5 of 5 seeds failed; seed 0: loss is not finite (step 211, tensor loss, modality noisy)"


def test_a_row_that_lost_a_seed_keeps_the_others(written):
    written.fail("cggm-paper", 1)
    found = row(table_of(written), "cggm-paper")
    assert not found.failed
    assert found.cells["accuracy"].summary.n == 4
    assert found.cells["accuracy"].difference.n == 4
    assert found.note.startswith("1 of 5 seeds failed; seed 1")


def test_a_row_that_was_not_run(written):
    shutil.rmtree(written.runs / "ogm-ge")
    written.scores[:] = [score for score in written.scores if score["row"] != "ogm-ge"]
    written.put("runs/digits/evaluation/seeds.json", json.dumps(written.scores))
    assert row(table_of(written), "ogm-ge").note == "not run"


def test_nothing_was_run_at_all(written):
    shutil.rmtree(written.runs)
    table = table_of(written)
    assert {found.note for found in table.rows} == {"not run"}
    assert table.metric.name == "accuracy"


def test_a_metric_that_nobody_measured_is_refused(written):
    path = written.root / "specs/resolved/tables/digits.yaml"
    path.write_text(path.read_text().replace("metric: accuracy", "metric: dice"))
    with pytest.raises(DataError, match="'dice' was not measured; allowed: loss, accuracy, f1_macro"):
        table_of(written)


def test_published_numbers_and_verdicts(written):
    written.published = {"cggm-paper": {"table": "cggm", "row": "CGGM"}}
    written.put("specs/claims/cggm.yaml", CLAIMS)
    written.scores.clear()
    table = table_of(written.write())
    cell = table.cell(row(table, "cggm-paper"))
    assert cell.published.value == 99.9
    assert cell.published.source == "Guo et al. 2024, Table 2, CGGM"
    assert cell.verdict.state == "not reproduced"
    assert row(table, "cggm-paper").cells["f1_macro"].verdict.state == "no number"
    assert table.claims(table.metric)
    assert not table.claims(metric("loss"))


@pytest.mark.parametrize(
    ("cited", "message"),
    [({"table": "none", "row": "x"}, "none.yaml"), ({"table": "cggm", "row": "OGM"}, "no row 'OGM'")],
)
def test_a_citation_that_leads_nowhere_is_refused(written, cited, message):
    written.published = {"cggm-paper": cited}
    written.put("specs/claims/cggm.yaml", CLAIMS)
    written.write()
    with pytest.raises(SpecError, match=message):
        table_of(written)


def test_a_row_that_was_trained_with_other_settings_is_marked(written):
    path = written.root / "specs/resolved/digits/cggm-paper.yaml"
    path.write_text(path.read_text().replace("rho: 1.3", "rho: 1.2"))
    assert row(table_of(written), "cggm-paper").edited == ("it was trained with other settings: modulation.rho",)


def test_a_row_whose_resolved_file_differs_from_its_spec_is_marked(written):
    written.put("specs/datasets/digits.yaml", DATASET)
    written.put("specs/experiments/digits/joint.yaml", dump(experiment()).replace("epochs: 20", "epochs: 30"))
    written.put("specs/tables/digits.yaml", TABLE)
    rows = {found.slug: found.edited for found in table_of(written).rows}
    assert rows["joint"] == ("its resolved file differs from its spec: training.epochs",)
    assert rows["ogm-ge"] == ("its spec has no such row now",)


def test_a_spec_that_is_not_valid_now_marks_every_row(written):
    written.put("specs/tables/digits.yaml", "version: 1\nkind: table\nbase: nowhere.yaml\nrows: {Joint: {}}\n")
    marks = {found.edited for found in table_of(written).rows}
    assert marks == {(f"its spec is not valid now ({written.root}/specs/tables/digits.yaml)",)}


def test_names_that_lead_out_of_the_project_are_refused(written):
    for name in ("../digits", "/etc/passwd", "a b", "digits.yaml"):
        with pytest.raises(SpecError, match="not the name of a table"):
            read_table(name, written.root)


def test_a_table_that_was_not_compiled_says_what_to_do(written):
    with pytest.raises(SpecError, match="cggm compile"):
        read_table("other", written.root)


def test_negative_coefficients_are_remarked(written):
    assert row(table_of(written), "cggm-paper").remarks == ("B < 0 in 48 % of steps",)
    assert row(table_of(written), "cggm-stable").remarks == ()
