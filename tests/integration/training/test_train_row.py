"""`cggm train` and the five lines of Python: what a row leaves, which seeds are kept, what is said without data."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch

from cggm_pipeline.build import build
from cggm_pipeline.build.seeds import workers_for
from cggm_pipeline.build.train import train
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.cli.train_ import command as train_command
from cggm_pipeline.errors import BuildError, DataError, TrainingError
from cggm_pipeline.spec import Project, load_dataset, load_experiment

LOADED = ((load_experiment, "small"), (load_dataset, "digits"))


def test_a_row_is_left_whole(trained):
    names = sorted(str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file())
    files = ("history.csv", "model.safetensors", "summary.json")
    shared = ("train/dataset.yaml", "train/experiment.yaml", "train/manifest.json")
    seeds = tuple(f"train/seed-{seed}/{name}" for seed in (0, 1) for name in files)
    assert [name for name in names if not name.endswith(".lock")] == ["cost.json", *shared, *seeds]
    summary = json.loads((trained / "train/seed-0/summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["selected_epoch"] in (0, 1)
    assert summary["classifier_parameters"] > 0
    assert 0.05 <= summary["temperature"] <= 20
    assert json.loads((trained / "cost.json").read_text())["seeds"].keys() == {"0", "1"}


def test_bits_of_a_seed_do_not_depend_on_the_list_of_seeds(trained, project):
    spec = load_experiment("small", Project(project)).spec
    train(spec, project / "runs/alone", key="alone", project=project, seeds=[1])
    for name in ("model.safetensors", "history.csv", "summary.json"):
        alone, together = (folder / "train/seed-1" / name for folder in (project / "runs/alone", trained))
        found, expected = alone.read_bytes(), together.read_bytes()
        assert found == expected, "the run's key, which holds the code, is not part of what a seed leaves"


def test_weights_belong_to_the_spec_and_to_no_other(trained, project):
    spec, dataset = (load(name, Project(project)).spec for load, name in LOADED)
    ours, path = spec_digest(spec, dataset), trained / "train/seed-0/model.safetensors"
    assert load_weights(build(spec, project=project, device="cpu").built.network, path, ours)["spec"] == ours
    words = spec.model_copy(update={"description": "words", "seeds": (7,), "use": tuple(spec.modalities)})
    assert spec_digest(words, dataset) == ours
    other = spec.model_copy(update={"training": spec.training.model_copy(update={"epochs": 3})})
    with pytest.raises(BuildError, match="belong to another spec"):
        load_weights(build(other, project=project, device="cpu").built.network, path, spec_digest(other, dataset))


def test_finished_seeds_are_kept_when_one_is_added(project):
    spec = load_experiment("small", Project(project)).spec
    train(spec, project / "runs/more", key="more", project=project, seeds=[0])
    kept = project / ".cggm/state/more/seed-0/finished/model.safetensors"
    before = kept.stat().st_mtime_ns
    train(spec, project / "runs/more", key="more", project=project, seeds=[0, 2])
    assert kept.stat().st_mtime_ns == before
    assert (project / "runs/more/train/seed-2/model.safetensors").is_file()


def test_the_number_of_workers(monkeypatch):
    monkeypatch.setattr("cggm_pipeline.build.seeds._gpus", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("CGGM_WORKERS")
    assert [workers_for(jobs, threads) for jobs, threads in ((5, 1), (20, 1), (5, 3), (1, 1), (0, 1), (5, 99))] == [
        5,
        8,
        2,
        1,
        1,
        1,
    ]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert workers_for(5, 1) == 1
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.setenv("CGGM_WORKERS", "many")
    with pytest.raises(TrainingError, match="CGGM_WORKERS is 'many'"):
        workers_for(5, 1)


def test_five_lines_of_python(project, monkeypatch):
    monkeypatch.chdir(project)
    run = build(load_experiment("small").spec, seed=0, device="cpu")
    fitted = run.fit()
    found = run.evaluate("valid")
    assert found["accuracy"] == fitted.history[fitted.selected]["valid_accuracy"]


def test_class_weights_come_from_the_prepared_training_split(project, monkeypatch):
    monkeypatch.chdir(project)
    run = build(load_experiment("small").spec, device="cpu")
    counts = np.array(run.prepared.manifest.class_counts["train"])
    logits, target = torch.randn(50, 10), torch.randint(10, (50,))
    weight = torch.tensor(counts.sum() / (10 * counts), dtype=torch.float32)
    expected = torch.nn.functional.cross_entropy(logits, target, weight=weight)
    torch.testing.assert_close(run.built.task.loss(logits, target), expected)


def test_the_command_trains_and_prints_a_table(project, invoke):
    assert not (project / "stages").exists(), "specs alone are enough"
    result = invoke(train_command, "small", "--seeds", "0,1", "--out", "runs/cli")
    assert result.exit_code == 0, result.output
    assert "valid accuracy" in result.output
    assert "±" in result.output
    assert (project / "runs/cli/train/seed-1/model.safetensors").is_file()


def test_what_is_not_prepared_is_said_with_the_command(project, invoke):
    text = (project / "specs/experiments/small.yaml").read_text().replace("data: digits", "data: more")
    (project / "specs/datasets/more.yaml").write_text((project / "specs/datasets/digits.yaml").read_text())
    (project / "specs/experiments/more.yaml").write_text(text)
    with pytest.raises(DataError, match="cggm prepare more"):
        invoke(train_command, "more")


def test_seeds_that_are_no_numbers(project, invoke):
    result = invoke(train_command, "small", "--seeds", "0;1")
    assert result.exit_code == 2
    assert "0,1,2" in result.output
