"""`benchmarks/three_systems/results.py`: what the pages say of runs, and of tables that were not computed."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy import stats

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "three_systems" / "results.py"
COLUMNS = ("row", "label", "metric", "mean", "sd", "n", "difference", "low", "high", "parameters", "case")


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script over a folder runs/ of the test's own."""
    spec = importlib.util.spec_from_file_location("three_systems_results", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "three_systems_results", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RUNS", tmp_path)
    return module


def write(runs: Path, table: str, rows: list[tuple[object, ...]]) -> Path:
    folder = runs / table
    folder.mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
        writer.writerow(("complete", "Complete", "loss", 1.0, 0.1, 2, "", "", "", 5, ""))
        writer.writerow(("complete", "Complete", "accuracy", 0.1, 0.1, 2, "", "", "", 5, "rate 0.9"))
    return folder


def test_what_was_not_computed_is_said_and_not_drawn(script: ModuleType) -> None:
    for name, page in script.PAGES.items():
        text = "\n".join(page())
        assert text.count("Not computed.") == 3
        assert script.drawing(name) is None


def test_curves_and_the_paired_difference_of_their_means(script: ModuleType, tmp_path: Path) -> None:
    rows = [("complete", "Complete", "accuracy", 0.9, 0.1, 3, "", "", "", 5)]
    rows += [("modality-dropout", "Modality dropout", "accuracy", 0.8, 0.1, 3, -0.1, -0.2, 0.0, 5)]
    folder = write(tmp_path, "missing/mfeat", rows)
    gains = (0.1, 0.2, 0.6)
    scores = [
        {
            "row": row,
            "seed": seed,
            "split": "test",
            "rates": {"0.0": {"accuracy": 0.5 + gain * (row == "complete")}, "0.9": {"accuracy": 0.3}},
        }
        for row in ("complete", "modality-dropout")
        for seed, gain in enumerate(gains)
    ]
    (folder / "evaluation").mkdir()
    (folder / "evaluation/seeds.json").write_text(json.dumps(scores))
    (line,) = [line for line in script.missing() if line.startswith("| Complete ")]
    half = [100 * gain / 2 for gain in gains]
    reach = stats.sem(half) * stats.t.ppf(0.975, 2)
    assert f"| 80.0 | 30.0 | **55.0** | +15.0 [{15 - reach:+.1f}, {15 + reach:+.1f}] |" in line
    (base,) = [line for line in script.missing() if line.startswith("| Modality dropout ")]
    assert "| 50.0 | 30.0 | **40.0** |  |" in base
    assert script.drawing("missing").count("<svg") == 1


def test_the_share_that_learns_and_the_rate(script: ModuleType, tmp_path: Path) -> None:
    rows = [(slug, label, "accuracy", 0.9, 0.01, 2, 0.05, 0.01, 0.09, 200) for slug, label in LEARN.items()]
    folder = write(tmp_path, "adapters/emoji", rows)
    for slug in LEARN:
        summary = folder / slug / "train/seed-0/summary.json"
        summary.parent.mkdir(parents=True)
        summary.write_text(json.dumps({"trainable": 50, "parameters": {"fusion": 150, "head": 50}}))
        (folder / slug / "train/experiment.yaml").write_text("training: {optimizer: {kind: adam, lr: 3.0e-4}}\n")
    lines = [line for line in script.adapters() if line.startswith(("| Source", "| LoRA"))]
    assert lines == [
        "| Source only | 0 (0.0 %) |  | 90.0 ± 1.0 | +5.0 [+1.0, +9.0] |",
        "| LoRA | 50 (25.0 %) | 0.0003 | 90.0 ± 1.0 | +5.0 [+1.0, +9.0] |",
    ]


LEARN = {"source-only": "Source only", "lora": "LoRA"}


def test_a_level_of_noise_that_was_not_computed_is_a_dash(script: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "adaptation/mfeat-source", [("source", "Source", "accuracy", 0.95, 0.02, 2, "", "", "", 5)])
    rows = [("source-only", "Source only", "accuracy", 0.7, 0.02, 2, "", "", "", 5)]
    rows += [("tent", "Tent", "accuracy", 0.6, 0.02, 2, -0.1, -0.2, -0.05, 5)]
    write(tmp_path, "adaptation/mfeat-shift-200", rows)
    text = "\n".join(script.adaptation())
    assert "The source model on clean data: 95.0 ± 2.0." in text
    assert "| Source only | – | 70.0 | – |" in text
    assert "| Tent | – | 60.0 (-10.0 [-20.0, -5.0]) | – |" in text


def test_a_row_looks_the_same_in_every_panel(script: ModuleType) -> None:
    """Also behind a row that one data set lacks."""
    whole = {label: ([number], [0.5]) for number, label in enumerate("abcdef")}
    canvas = script.figure("adapters", {"mfeat": whole, "emoji": {k: v for k, v in whole.items() if k != "b"}})
    looks = [{line.get_label(): (line.get_color(), line.get_marker()) for line in axes.lines} for axes in canvas.axes]
    assert looks[1] == {label: look for label, look in looks[0].items() if label != "b"}
    assert len(set(looks[0].values())) == 6
    (legend,) = canvas.legends
    assert [text.get_text() for text in legend.get_texts()] == list("abcdef")
