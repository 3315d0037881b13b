"""The numbers of MPLMM and CASP in specs/claims/ are those that were collected, each under its case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cggm_pipeline.spec import Project, load_resolved, load_table
from cggm_pipeline.spec.claims import Claims

ROOT = Path(__file__).resolve().parents[3]
COLLECTED = ROOT.parent / "shared" / "published_tables.yaml"
PLACES: dict[str, tuple[str, str, str]] = {
    "mplmm-mosi": ("MPLMM", "Table 1", "CMU-MOSI"),
    "mplmm-mosei": ("MPLMM", "Table 1", "CMU-MOSEI"),
    "mplmm-ch-sims": ("MPLMM", "Table 1", "CH-SIMS"),
    "mplmm-iemocap": ("MPLMM", "Table 1", "IEMOCAP"),
}
PROMPTS = {"mplmm-prompts-mosi": "MOSI_", "mplmm-prompts-ch-sims": "SIMS_", "mplmm-prompts-iemocap": "IEMOCAP_"}
CASES = {"a": "audio", "t": "text"}
TABLES = ["mosi", "mosei", "ch-sims", "iemocap", "prompts-mosi", "prompts-ch-sims", "prompts-iemocap"]


def collected(paper: str, table: str, dataset: str = "") -> dict[str, dict[str, float | None]]:
    """Row to column to number, null where it is not known. Skips where the collection is not beside the repository."""
    if not COLLECTED.is_file():
        pytest.skip("the collection of published numbers lies beside the repository, not in it")
    tables: list[dict[str, Any]] = yaml.safe_load(COLLECTED.read_text(encoding="utf-8"))["tables"]
    (found,) = [
        each for each in tables if (each["paper"], each["table"]) == (paper, table) and dataset in each["dataset"]
    ]
    return {row["method"]: dict(zip(found["columns"], row["values"], strict=True)) for row in found["rows"]}


def claims(name: str) -> Claims:
    return load_resolved(ROOT / f"specs/claims/{name}.yaml", Claims)


def written(claimed: Claims) -> dict[str, dict[str, float | None]]:
    rows = claimed.rows.items()
    return {row: {key: None if isinstance(v, str) else v for key, v in cells.items()} for row, cells in rows}


@pytest.mark.parametrize("name", PLACES)
def test_numbers_per_case_are_those_that_were_collected(name: str) -> None:
    assert written(claims(name)) == collected(*PLACES[name])


@pytest.mark.parametrize("name", PLACES)
def test_a_column_says_its_case(name: str) -> None:
    sight = "video" if name == "mplmm-iemocap" else "vision"
    for label, column in claims(name).columns.items():
        case, metric = label.split("_")
        named = "incomplete" if case == "avg" else tuple(sorted({**CASES, "v": sight}[letter] for letter in case))
        assert column.modalities == named, label
        assert column.metric.startswith({"ACC": "acc", "F1": "f1"}[metric]), label


@pytest.mark.parametrize("name", PROMPTS)
def test_the_ablation_is_that_which_was_collected(name: str) -> None:
    known = collected("MPLMM", "Table 3")
    own = {
        row.replace("+", " + "): {key: value for key, value in cells.items() if key.startswith(PROMPTS[name])}
        for row, cells in known.items()
    }
    assert written(claims(name)) == own
    assert all(column.modalities == "incomplete" for column in claims(name).columns.values())


def test_other_backbones() -> None:
    expected: dict[str, dict[str, float | None]] = {}
    for row, cells in collected("MPLMM", "Table 2").items():
        expected[row] = {"Com": cells["Com"], "Incom": cells["Incom"]}
        expected[f"{row} + prompts"] = {"Com": cells["Com_prompts"], "Incom": cells["Incom_prompts"]}
    assert written(claims("mplmm-backbones")) == expected


@pytest.mark.parametrize(("name", "column"), [("mosei", "MAE_MOSEI"), ("mosi", "MAE_MOSI"), ("sims", "MAE_SIMS")])
def test_the_three_numbers_of_casp(name: str, column: str) -> None:
    assert written(claims(f"casp-{name}")) == {"CASP": {"MAE": collected("CASP", "headline")["CASP"][column]}}


def test_every_claims_document_of_these_papers_is_compared() -> None:
    there = {path.stem for pattern in ("mplmm-*", "casp-*") for path in (ROOT / "specs/claims").glob(f"{pattern}.yaml")}
    assert there == {*PLACES, *PROMPTS, "mplmm-backbones", "casp-mosei", "casp-mosi", "casp-sims"}


@pytest.mark.parametrize("name", TABLES)
def test_a_cited_case_is_measured(name: str) -> None:
    table = load_table(f"mplmm/{name}", Project(ROOT))
    cited = {row.published.table for row in table.rows.values() if row.published}
    assert cited == {f"mplmm-{name}"}
    for row in table.rows.values():
        experiment = row.experiment.spec
        assert experiment.evaluation.subsets
        measured = experiment.task.measured()
        for column in claims(f"mplmm-{name}").columns.values():
            assert measured[column.metric] == (column.direction == "higher")


@pytest.mark.parametrize("name", ["mosi", "mosei", "ch-sims", "iemocap"])
def test_hyper_parameters_are_those_of_the_paper(name: str) -> None:
    """Section 4 of the paper: batch 64, Adam 1e-3, 30 epochs, prompts of 16, a training missing rate of 70 %."""
    spec = load_table(f"mplmm/{name}", Project(ROOT)).rows["mplmm-paper"].experiment.spec
    training = spec.training
    assert (training.batch_size, training.optimizer.lr, training.epochs, len(spec.seeds)) == (64, 1e-3, 30, 5)
    assert spec.fill.length == 16
    assert spec.missing.train.share == 0.7
    assert spec.missing.redraw
    assert spec.weights.experiment == "mplmm/pretraining/mult"
    assert set(spec.adapter.train) == {"head.*", "fill.*", "encoders.*"}
