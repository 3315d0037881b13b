"""Every number of specs/claims/ is the one that was collected from the papers; what was not found stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cggm_pipeline.spec import Project, load_resolved, load_table
from cggm_pipeline.spec.claims import Claims
from cggm_pipeline.spec.compose import load_experiment

ROOT = Path(__file__).resolve().parents[3]
COLLECTED = ROOT.parent / "shared" / "published_tables.yaml"
CLAIMS = sorted((ROOT / "specs/claims").glob("cggm-*.yaml"))

PLACES: dict[str, list[tuple[str, str]]] = {
    "cggm-food101": [("headline", "UPMC-Food 101")],
    "cggm-mosi": [("headline", "CMU-MOSI")],
    "cggm-iemocap": [("headline", "IEMOCAP")],
    "cggm-brats": [("Table 3", "BraTS 2021")],
    "cggm-iemocap-ablation": [("Ablation", "IEMOCAP")],
    "cggm-memory": [("Additional GPU memory", "all")],
}
"""Claims document -> the (table, dataset) of the collection that its numbers come from."""

NAMES = {"baseline (joint training)": "Baseline"}
MEMORY = {"Food101_MB": "UPMC-Food 101", "MOSI_MB": "CMU-MOSI", "IEMOCAP_MB": "IEMOCAP", "BraTS_MB": "BraTS 2021"}


def collected(name: str) -> dict[tuple[str, str], float]:
    """(row, column) -> number, of one claims document as it was collected."""
    tables: list[dict[str, Any]] = yaml.safe_load(COLLECTED.read_text(encoding="utf-8"))["tables"]
    found = {}
    for table in tables:
        if table["paper"] == "CGGM" and (table["table"], table["dataset"]) in PLACES[name]:
            for row in table["rows"]:
                label = NAMES.get(row["method"], row["method"])
                cells = zip(table["columns"], row["values"], strict=True)
                found |= {(label, column): value for column, value in cells if value is not None}
    if name == "cggm-memory":
        return {(MEMORY[column], "Additional GPU memory"): value for (_, column), value in found.items()}
    return found


def claimed(name: str) -> dict[tuple[str, str], float]:
    claims = load_resolved(ROOT / f"specs/claims/{name}.yaml", Claims)
    cells = ((row, column, value) for row, values in claims.rows.items() for column, value in values.items())
    return {(row, column): value for row, column, value in cells if not isinstance(value, str)}


@pytest.mark.parametrize("name", PLACES)
def test_numbers_are_those_that_were_collected(name: str) -> None:
    if not COLLECTED.is_file():
        pytest.skip("the collection of published numbers lies beside the repository, not in it")
    expected = collected(name)
    assert claimed(name) == expected
    assert expected


def test_every_claims_document_is_compared() -> None:
    assert {path.stem for path in CLAIMS} == set(PLACES)


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_cells_are_complete(path: Path) -> None:
    """A cell that is missing could be a slip of the pen; one that was not found says so."""
    claims = load_resolved(path, Claims)
    assert all(set(cells) == set(claims.columns) for cells in claims.rows.values())


@pytest.mark.parametrize("name", ["food101", "mosi", "iemocap", "brats", "iemocap-ablation"])
def test_published_numbers_stand_beside_a_metric_of_the_task(name: str) -> None:
    table = load_table(name, Project(ROOT))
    cited = {row.published.table for row in table.rows.values() if row.published}
    assert cited
    for row in table.rows.values():
        measured = row.experiment.spec.task.measured()
        for document in cited:
            for column in load_resolved(ROOT / f"specs/claims/{document}.yaml", Claims).columns.values():
                assert measured[column.metric] == (column.direction == "higher")


@pytest.mark.parametrize(
    ("name", "batch", "lr", "classifier_lr", "epochs", "rho", "lam", "clip"),
    [
        ("food101", 128, 1e-3, 5e-4, 60, 1.3, 0.05, 0.8),
        ("mosi", 64, 1e-3, 5e-4, 30, 1.3, 0.2, 0.8),
        ("iemocap", 64, 1e-3, 5e-4, 30, 1.3, 0.2, 0.8),
        ("brats", 64, 1e-2, 6e-3, 75, 1.0, 0.1, None),
    ],
)
def test_hyper_parameters_are_the_released_defaults(
    name: str, batch: int, lr: float, classifier_lr: float, epochs: int, rho: float, lam: float, clip: float | None
) -> None:
    """The values of run/*.py of the authors' code, read once more against the specs."""
    spec = load_experiment(f"{name}/joint", Project(ROOT)).spec
    training = spec.training
    assert (training.batch_size, training.optimizer.lr, spec.classifiers.lr) == (batch, lr, classifier_lr)
    assert (training.epochs, training.clip) == (epochs, clip)
    assert not spec.classifiers.scheduled
    for preset in ("paper", "released"):
        modulation = load_table(name, Project(ROOT)).rows[f"cggm-{preset}"].experiment.spec.modulation
        assert (modulation.preset, modulation.rho, modulation.lam) == (preset, rho, lam)
