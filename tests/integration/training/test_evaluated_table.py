"""The evaluation of a table: seeds.json, predictions, confusion, metrics.json; failed seeds and unsound weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build import build
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.train import train
from cggm_pipeline.errors import BuildError, CggmError
from cggm_pipeline.evaluation.evaluate import evaluate as measure
from cggm_pipeline.spec import Project, dump, load_experiment


def test_a_table_is_evaluated(trained, project):
    evaluate("table", project)
    folder = project / "runs/table/evaluation"
    entries = json.loads((folder / "seeds.json").read_text())
    assert [(e["row"], e["seed"], e["split"]) for e in entries] == [
        ("small", seed, split) for seed in (0, 1) for split in ("valid", "test")
    ]
    test = next(e for e in entries if e["split"] == "test")
    assert test["probes"].keys() == {"noisy", "rotated"}
    assert all(0.1 < probe["accuracy"] <= 1 for probe in test["probes"].values())
    with np.load(folder / "predictions/small-0.npz", allow_pickle=False) as file:
        assert file["prediction"].shape == (len(file["target"]), 10)
        assert np.mean(file["prediction"].argmax(1) == file["target"]) == pytest.approx(test["metrics"]["accuracy"])
        assert len(set(file["ids"].tolist())) == len(file["target"])
    matrix = np.array(json.loads((folder / "confusion.json").read_text())["small"])
    assert matrix.sum() == 2 * len(file_target(folder))
    metrics = json.loads((project / "runs/table/metrics.json").read_text())["small"]
    accuracies = [e["metrics"]["accuracy"] for e in entries if e["split"] == "test"]
    assert metrics["test"]["n"] == 2
    assert metrics["test"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert metrics["test"]["accuracy"]["std"] == pytest.approx(np.std(accuracies, ddof=1))


def file_target(folder: Path) -> np.ndarray:
    with np.load(folder / "predictions/small-0.npz", allow_pickle=False) as file:
        return file["target"]


def test_evaluation_reads_the_selected_weights(trained, project):
    evaluate("table", project)
    entries = json.loads((project / "runs/table/evaluation/seeds.json").read_text())
    for entry in (e for e in entries if e["split"] == "valid"):
        summary = json.loads((trained / f"train/seed-{entry['seed']}/summary.json").read_text())
        assert entry["metrics"]["accuracy"] == summary["selection"]["value"]


def test_a_failed_seed_fails_no_table(trained, project, tmp_path):
    """A rate that overflows: the row says where it stopped, and the table's other numbers stand."""
    text = (
        (project / "specs/experiments/small.yaml")
        .read_text()
        .replace("lr: 5.0e-3", "lr: 1.0e+38")
        .replace("kind: adam", "kind: sgd")
    )
    wild = project / "specs/experiments/wild.yaml"
    wild.write_text(text)
    summaries = train(
        load_experiment("wild", Project(project)).spec, project / "runs/table/wild", key="w", project=project
    )
    assert {found["status"] for found in summaries.values()} == {"failed"}
    failed = json.loads((project / "runs/table/wild/train/seed-0/failed.json").read_text())
    assert failed["step"] >= 1
    assert failed["tensor"]
    resolved = project / "specs/resolved"
    (resolved / "table/wild.yaml").write_text(dump(load_experiment("wild", Project(project)).spec))
    (resolved / "tables/table.yaml").write_text("order: [small, wild]\n")
    try:
        evaluate("table", project)
        metrics = json.loads((project / "runs/table/metrics.json").read_text())
        assert metrics["wild"]["test"] == {"n": 0}
        assert metrics["small"]["test"]["n"] == 2
    finally:
        (resolved / "tables/table.yaml").write_text("order: [small]\n")


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "missing"])
def test_weights_that_are_not_sound_are_named(trained, project, damage):
    path = trained / "train/seed-1/model.safetensors"
    before = path.read_bytes()
    try:
        change(path, before, damage)
        with pytest.raises(BuildError, match=r"(?s)seed-1/model.safetensors: error: .*[Tt]rain"):
            evaluate("table", project)
    finally:
        path.write_bytes(before)
    assert (project / "runs/table/small").is_dir()


def change(path: Path, content: bytes, damage: str) -> None:
    changed = {"cut": content[: len(content) // 2], "empty": b""}
    changed["other"] = content.replace(b'\\"spec\\"', b'\\"spac\\"')  # as long as before: all else stays sound
    path.unlink() if damage == "missing" else path.write_bytes(changed[damage])


def test_a_full_disk_while_evaluating_leaves_what_was_there(trained, project, monkeypatch):
    import errno

    from cggm_pipeline.data import output

    evaluate("table", project)
    before = (project / "runs/table/evaluation/seeds.json").read_bytes()

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(output, "sync", full)
        with pytest.raises(CggmError, match="disk is full"):
            evaluate("table", project)
    assert (project / "runs/table/evaluation/seeds.json").read_bytes() == before


def test_the_last_split_is_measured_by_the_same_function(project, monkeypatch):
    monkeypatch.chdir(project)
    run = build(load_experiment("small").spec, device="cpu")
    assert run.evaluate("test") == measure(run.built.network, run.built.task, run.data["test"])
