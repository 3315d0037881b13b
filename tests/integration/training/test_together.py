"""CGGM, generated features, Wander and CASP in one spec: it starts from a backbone, resumes, adapts and predicts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cggm_pipeline.build import build, shift
from cggm_pipeline.build.adapt import contrast, pseudo
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.run import Run
from cggm_pipeline.build.train import train
from cggm_pipeline.build.trained import find_trained
from cggm_pipeline.cli.validate_ import command as validate
from cggm_pipeline.data.prepared import Prepared, read_manifest
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec import Project, dump, load_dataset, load_experiment, load_table

BACKBONE = """\
version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: mlp, hidden: [16], batch_norm: true}, transforms: [{kind: normalise}]}
  noisy: {encoder: {kind: mlp, hidden: [16], batch_norm: true}}
fusion: {kind: transformer, heads: 4, layers: 1}
task: {kind: classification}
training: {epochs: 3, batch_size: 64, optimizer: {kind: adam, lr: 5.0e-3}}
"""
TOGETHER = """\
version: 1
kind: experiment
extends: backbone.yaml
missing: {train: {kind: incomplete, share: 0.5}, test: {kind: rate, rate: 0.3}, redraw: true}
fill: {kind: generated, length: 4}
weights: {experiment: source/backbone, statistics: true}
adapter: {kind: wander, rank: 4, drank: 2, trank: 2}
modulation: {kind: cggm, preset: stable}
adaptation: {kind: casp, epochs: 2, every: 1, pseudo_epochs: 1, lr: 1.0e-2}
prediction: {kind: casp, steps: 1}
evaluation: {subsets: true, missing_rates: [0.0, 0.5]}
"""
TABLE = """\
version: 1
kind: table
base: experiments/together.yaml
rows:
  Together: {}
  As it is: {training: {epochs: 0}, fill: {kind: zeros}, adapter: {kind: none}, modulation: {kind: none}}
"""
NOISIER = """\
version: 1
kind: dataset
source: {kind: shifted, data: digits, noise: {rotated: 2.0}}
split: {kind: published}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
SOURCE = "version: 1\nkind: table\nbase: experiments/backbone.yaml\nrows: {Backbone: {}}\n"
SPECS = {
    "experiments/backbone": BACKBONE,
    "experiments/together": TOGETHER,
    "tables/all": TABLE,
    "tables/source": SOURCE,
}


@pytest.fixture(scope="module")
def documents(project: Path) -> Project:
    """The documents, and the backbone that they start from, trained."""
    for name, text in SPECS.items():
        path = project / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    spec = load_experiment("backbone", Project(project)).spec
    train(spec, project / "runs/source/backbone", key="backbone", project=project, device="cpu")
    return Project(project)


@pytest.fixture(scope="module")
def row(documents: Project) -> Path:
    """Every row of the table, through all its stages; the folder of the first."""
    root, resolved = documents.root, documents.root / "specs/resolved"
    table = load_table("all", documents)
    written = {"tables/all": f"order: [{', '.join(table.rows)}]\nmetric: null\n"}
    written["datasets/digits"] = dump(load_dataset("digits", documents).spec)
    for slug, one in table.rows.items():
        written[f"all/{slug}"] = dump(one.experiment.spec)
        train(one.experiment.spec, root / f"runs/all/{slug}", key=slug, project=root, device="cpu")
    for name, text in written.items():
        (resolved / name).parent.mkdir(parents=True, exist_ok=True)
        (resolved / f"{name}.yaml").write_text(text)
    for slug in table.rows:
        contrast("all", slug, root)
        pseudo("all", slug, root)
    evaluate("all", root)
    return root / "runs/all/together"


def made(documents: Project) -> Run:
    return build(load_experiment("together", documents).spec, 0, project=documents.root, device="cpu")


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


def test_it_validates_and_builds(documents: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(documents.root)
    result = CliRunner().invoke(validate, ["--build", "specs/tables/all.yaml"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "adapter" in result.output
    assert "% learn" in result.output


def test_a_stop_and_what_comes_after_it_are_one_training(
    documents: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGGM_CHECKPOINT_SECONDS", "0")
    whole, first, again = made(documents), made(documents), made(documents)
    start = {name: tensor.clone() for name, tensor in whole.built.network.state_dict().items()}
    reference = whole.fit()
    real, left = first.data["train"].batches, [20]  # the second batch of the second epoch

    def stopping(*arguments: Any, **options: Any) -> Any:
        for batch in real(*arguments, **options):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            yield batch

    monkeypatch.setattr(first.data["train"], "batches", stopping)
    with pytest.raises(KeyboardInterrupt):
        first.fit(state=tmp_path, key="k")
    fitted = again.fit(state=tmp_path, key="k")
    assert fitted.history == reference.history
    assert not moved(reference.network.state_dict(), fitted.network.state_dict())
    learnt = moved(start, reference.network.state_dict())
    assert {name.split(".")[0] for name in learnt} == {"fill", "adapter", "head"}
    assert not [name for name in learnt if ".first_" in name], "what is subtracted moved"


def test_every_stage_left_its_part(row: Path) -> None:
    for stage in ("train", "contrast", "adapted"):
        assert (row / stage / "seed-0/model.safetensors").is_file()
    assert (row / "train/statistics/manifest.json").is_file()
    summary = json.loads((row / "train/seed-0/summary.json").read_text())
    assert 0 < summary["trainable"] < sum(summary["parameters"].values())


def test_it_is_measured_adapting_with_the_gaps_that_the_spec_says(row: Path) -> None:
    scores = json.loads((row.parent / "evaluation/seeds.json").read_text())
    (test,) = [score for score in scores if score["row"] == "together" and score["split"] == "test"]
    assert set(test["rates"]) == {"0.0", "0.5"}
    assert set(test["subsets"]) == {"", "noisy", "rotated", "noisy+rotated"}
    (other,) = [score for score in scores if score["row"] == "as-it-is" and score["split"] == "test"]
    assert test["gaps"] == other["gaps"]
    assert test["gaps"]


def test_without_epochs_the_weights_are_those_of_the_run(row: Path) -> None:
    from safetensors.torch import load_file

    backbone = load_file(row.parents[1] / "source/backbone/train/seed-0/model.safetensors")
    kept = load_file(row.parent / "as-it-is/train/seed-0/model.safetensors")
    assert not moved(backbone, kept)
    with (row.parent / "as-it-is/train/seed-0/history.csv").open(newline="") as file:
        (only,) = list(csv.DictReader(file))
    assert only["epoch"] == "0"
    assert only["train_loss"] == "nan"
    assert 0 < float(only["valid_accuracy"]) <= 1


def test_inputs_are_normalised_as_those_of_the_run_it_started_from(documents: Project, tmp_path: Path) -> None:
    root = documents.root
    (root / "specs/datasets/noisier.yaml").write_text(NOISIER)
    shift.prepare(load_dataset("noisier", documents).spec, "noisier", root)
    spec = load_experiment("together", documents).spec.model_copy(update={"data": "noisier", "seeds": (0,)})
    other = spec.model_copy(update={"weights": spec.weights.model_copy(update={"statistics": False})})
    source = read_manifest(root / "runs/source/backbone/train").statistics["rotated"]
    own = read_manifest(root / "data/prepared/noisier").statistics["rotated"]
    assert source.std != own.std
    for experiment, expected in ((spec, source), (other, own)):
        run = build(experiment, 0, project=root, dataset=load_dataset("noisier", documents).spec, device="cpu")
        clean = Prepared.open(root / "data/prepared/noisier").split("test").take("rotated", [0])[0]
        (batch,) = run.data["test"].under(None).batches(10**6)
        seen = batch.inputs["rotated"].values[0].numpy()
        np.testing.assert_allclose(seen, (clean - expected.mean[0]) / expected.std[0], rtol=1e-4, atol=1e-4)
    kept = spec.model_copy(update={"training": spec.training.model_copy(update={"epochs": 0})})
    train(
        kept, tmp_path / "kept", key="kept", project=root, dataset=load_dataset("noisier", documents).spec, device="cpu"
    )
    trained = find_trained(tmp_path / "kept")
    assert trained.statistics.statistics["rotated"] == source, "new data would be normalised in another way"
    assert trained.manifest.statistics["rotated"] == own


def test_a_seed_that_the_run_has_not(documents: Project) -> None:
    spec = load_experiment("together", documents).spec
    with pytest.raises(BuildError, match=r"weights\.seed: source/backbone has no finished seed 7 \(allowed: 0\)"):
        build(spec, 7, project=documents.root, device="cpu")


def test_a_run_that_was_not_trained_yet(documents: Project) -> None:
    spec = load_experiment("together", documents).spec
    other = spec.model_copy(update={"weights": spec.weights.model_copy(update={"experiment": "small/small"})})
    with pytest.raises(BuildError, match=r"weights\.experiment: runs/small/small/train does not exist\n.*dvc repro"):
        build(other, 0, project=documents.root, device="cpu")
