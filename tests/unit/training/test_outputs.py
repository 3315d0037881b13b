"""What a seed leaves behind: whole, deterministic, readable by others."""

from __future__ import annotations

import csv
import errno
import json
import os

import pytest
import torch
from safetensors import safe_open

from cggm_pipeline.errors import OutputError
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.outputs import history_csv, write_failed, write_finished
from cggm_pipeline.training.watch import NotFiniteError


def written(folder, problem, modulation="cggm-paper"):
    one = problem(modulation, epochs=2)
    fitted = fit(*one.arguments())
    write_finished(folder, fitted, metadata={"key": "k", "a": "b"}, summary={"seed": 0}, device="cpu")
    return one, fitted


def test_the_network_alone_is_kept(problem, tmp_path):
    one, fitted = written(tmp_path / "finished", problem)
    with safe_open(tmp_path / "finished" / "model.safetensors", "pt") as file:
        names = set(file.keys())
        assert json.loads(file.metadata()["cggm"]) == {"key": "k", "a": "b"}
        assert all(torch.equal(file.get_tensor(name), fitted.network.state_dict()[name]) for name in names)
    assert names == set(one.network.state_dict())
    assert not any("classifier" in name for name in names)


def test_equal_runs_give_equal_bytes(problem, tmp_path):
    for name in ("first", "second"):
        written(tmp_path / name / "finished", problem)
    for name in ("model.safetensors", "history.csv", "summary.json"):
        first, second = ((tmp_path / run / "finished" / name).read_bytes() for run in ("first", "second"))
        assert first == second


def test_history_is_one_row_per_epoch(problem, tmp_path):
    _, fitted = written(tmp_path / "finished", problem)
    with (tmp_path / "finished" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert list(rows[0])[:3] == ["epoch", "train_loss", "valid_loss"]
    assert {"B_lower", "B_negative", "cos_upper", "eps_lower", "grad_norm_upper"} <= rows[0].keys()
    assert float(rows[1]["train_loss"]) == fitted.history[1]["train_loss"]


def test_columns_that_come_later_are_empty_before():
    assert history_csv([{"epoch": 0.0}, {"epoch": 1.0, "late": 2.5}]) == "epoch,late\n0,\n1,2.5\n"
    assert history_csv([]) == "epoch\n"


def test_cost_is_apart(problem, tmp_path):
    _, fitted = written(tmp_path / "finished", problem)
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert cost["steps"] == fitted.steps == 14
    assert 0 < cost["step_seconds"] <= cost["seconds"] / 14
    assert cost["memory"] > 2**20


def test_a_failure_says_where(tmp_path):
    error = NotFiniteError(9, 1, "gradient of encoders.upper.weight", "upper")
    error.history = [{"epoch": 0.0, "train_loss": 1.5}]
    write_failed(tmp_path / "finished", error, summary={"seed": 3}, device="cpu")
    found = json.loads((tmp_path / "finished" / "failed.json").read_text())
    assert (found["step"], found["modality"]) == (9, "upper")
    assert found["error"] == "gradient of encoders.upper.weight is not finite"
    assert (tmp_path / "finished" / "history.csv").read_text() == "epoch,train_loss\n0,1.5\n"
    assert not (tmp_path / "finished" / "model.safetensors").exists()


def test_a_full_disk_leaves_no_folder(problem, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    fitted = fit(*problem(epochs=1).arguments())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            write_finished(tmp_path / "finished", fitted, metadata={}, summary={}, device="cpu")
    assert not (tmp_path / "finished").exists()
    write_finished(tmp_path / "finished", fitted, metadata={}, summary={}, device="cpu")
    assert sorted(path.name for path in (tmp_path / "finished").iterdir()) == [
        "history.csv",
        "model.safetensors",
        "summary.json",
    ]
