"""The stages of an adaptation on a trained row: their files, the same bytes again, failures, who reads the result."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cggm_pipeline.build import adapt as stages
from cggm_pipeline.build import build, casp
from cggm_pipeline.build.adapt import adapt, contrast, pseudo
from cggm_pipeline.build.casp import Adapted
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.score import score
from cggm_pipeline.build.seed import CALIBRATION
from cggm_pipeline.build.train import train
from cggm_pipeline.build.trained import find_trained
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.cli.predict_ import command as predict_command
from cggm_pipeline.cli.train_ import command as train_command
from cggm_pipeline.data.batch import Batch
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.epochs import DivergedError
from cggm_pipeline.evaluation.predictors.plain import predict
from cggm_pipeline.spec import Project, dump, load_dataset, load_experiment
from cggm_pipeline.spec.experiment import Experiment

SETTINGS = {"kind": "casp", "split": "test", "epochs": 2, "every": 1, "pseudo_epochs": 2, "lr": 1e-2}
ENCODER = {"encoder": {"kind": "mlp", "hidden": [16], "batch_norm": True, "dropout": 0.2}}
TABLE = "shifted"
FOLDERS = {"contrast": "trajectory.npz", "adapted": "pseudo.npz"}


@pytest.fixture(scope="module")
def spec(project: Path) -> Experiment:
    small = load_experiment("small", Project(project)).spec.model_dump(mode="json")
    modalities = {"rotated": {**ENCODER, "transforms": [{"kind": "normalise"}]}, "noisy": ENCODER}
    changes = {"modalities": modalities, "modulation": {"kind": "none"}, "adaptation": SETTINGS}
    return Experiment.model_validate(small | changes)


@pytest.fixture(scope="module")
def row(project: Path, spec: Experiment) -> Path:
    """runs/shifted/small: trained, and through both stages."""
    folder = project / "runs" / TABLE / "small"
    train(spec, folder, key=TABLE, project=project, device="cpu")
    resolved = project / "specs/resolved"
    documents = {f"{TABLE}/small.yaml": dump(spec), f"tables/{TABLE}.yaml": "order: [small]\nmetric: null\n"}
    documents["datasets/digits.yaml"] = dump(load_dataset("digits", Project(project)).spec)
    for path, text in documents.items():
        (resolved / path).parent.mkdir(parents=True, exist_ok=True)
        (resolved / path).write_text(text)
    contrast(TABLE, "small", project)
    pseudo(TABLE, "small", project)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_seed_has_weights_arrays_and_a_history(row: Path, project: Path, spec: Experiment) -> None:
    ids = build(spec, 0, project=project, device="cpu").prepared.split("test").ids
    for seed in ("seed-0", "seed-1"):
        with np.load(row / "contrast" / seed / "trajectory.npz", allow_pickle=False) as file:
            trajectory = file["trajectory"]
            assert file["ids"].tolist() == list(ids)
        assert trajectory.shape == (3, len(ids), 10)
        with np.load(row / "adapted" / seed / "pseudo.npz", allow_pickle=False) as file:
            unstable, chosen, label = file["instability"], file["selected"], file["label"]
        moves = np.abs(np.diff(trajectory, axis=0)).mean((0, 2))
        np.testing.assert_allclose(unstable, moves, rtol=1e-4, atol=1e-6)
        assert chosen.tolist() == np.flatnonzero(unstable <= np.quantile(unstable, 0.95)).tolist()
        assert label.tolist() == trajectory.mean(0).argmax(1).tolist()
        losses = [float(each["contrast_loss"]) for each in history(row / "contrast" / seed)]
        assert len(losses) == 2
        assert [each["epoch"] for each in history(row / "adapted" / seed)] == ["0", "1"]
        assert json.loads((row / "adapted" / seed / "summary.json").read_text())["status"] == "finished"


def test_weights_are_the_specs_and_only_normalisation_moved(row: Path, project: Path, spec: Experiment) -> None:
    tensors = {}
    for stage in ("train", "contrast", "adapted"):
        run = build(spec, 0, project=project, device="cpu")
        found = load_weights(
            run.built.network, row / stage / "seed-0/model.safetensors", spec_digest(spec, run.dataset)
        )
        assert found["seed"] == "0"
        tensors[stage] = run.built.network.state_dict()
    norms = {"encoders.noisy.layers.1", "encoders.rotated.layers.1"}
    for before, after in (("train", "contrast"), ("contrast", "adapted")):
        moved = {name for name, tensor in tensors[after].items() if not torch.equal(tensor, tensors[before][name])}
        assert moved == {f"{name}.{part}" for name in norms for part in ("weight", "bias")}


def test_the_first_prediction_kept_is_that_of_the_trained_network(row: Path, project: Path, spec: Experiment) -> None:
    run = build(spec, 0, project=project, device="cpu")
    load_weights(run.built.network, row / "train/seed-0/model.safetensors", spec_digest(spec, run.dataset))
    logits = predict(run.built.network, run.data["test"]).logits
    with np.load(row / "contrast/seed-0/trajectory.npz") as file:
        np.testing.assert_allclose(file["trajectory"][0], logits.softmax(1).numpy(), rtol=1e-5, atol=1e-7)


def test_only_the_selected_samples_are_learnt_from_each_with_its_own_label(row, project, spec, monkeypatch) -> None:
    seen = []

    def watching(network, epoch_of, labels, loss, **options):
        seen.append(([torch.cat([index for _, index in epoch_of(epoch)]).tolist() for epoch in range(2)], labels))
        return []

    monkeypatch.setattr(casp, "pseudo", watching)
    out = project / "runs/watched"
    for folder in ("train", "contrast"):
        shutil.copytree(row / folder, out / folder)
    adapt(spec, out, project, "pseudo", seeds=[0], device="cpu")
    (orders, labels), path = seen[0], row / "adapted/seed-0/pseudo.npz"
    with np.load(path) as file:
        assert sorted(orders[0]) == sorted(orders[1]) == file["selected"].tolist()
        assert labels.tolist() == file["label"].tolist()
    assert orders[0] != orders[1]
    unshuffled = spec.adaptation.model_copy(update={"shuffle": False})
    adapt(spec.model_copy(update={"adaptation": unshuffled}), out, project, "pseudo", seeds=[0], device="cpu")
    assert seen[1][0] == [sorted(orders[0])] * 2


def test_the_stages_again_give_the_same_bytes_whatever_the_other_seeds(
    row: Path, project: Path, spec: Experiment
) -> None:
    before = {folder: content(row / folder) for folder in FOLDERS}
    torch.manual_seed(12345)
    contrast(TABLE, "small", project)
    pseudo(TABLE, "small", project)
    assert {folder: content(row / folder) for folder in FOLDERS} == before
    alone = project / "runs/one-seed"
    shutil.copytree(row / "train", alone / "train")
    for stage in ("contrast", "pseudo"):
        adapt(spec, alone, project, stage, seeds=[1], device="cpu")
    for folder in FOLDERS:
        assert content(alone / folder / "seed-1") == content(row / folder / "seed-1")


def test_targets_are_out_of_reach(row: Path, project: Path, spec: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(f"somebody looked at the targets ({name})")

    batches = Adapted.batches

    def hidden(self, *arguments):
        for batch in batches(self, *arguments):
            yield Batch(batch.inputs, Untouchable(), batch.index)

    monkeypatch.setattr(Adapted, "batches", hidden)
    before = {folder: content(row / folder) for folder in FOLDERS}
    contrast(TABLE, "small", project)
    pseudo(TABLE, "small", project)
    assert {folder: content(row / folder) for folder in FOLDERS} == before


def test_evaluation_and_prediction_read_the_final_weights(row, project, spec, tmp_path, invoke) -> None:
    evaluate(TABLE, project)
    run = build(spec, 0, project=project, device="cpu")
    digest = spec_digest(spec, run.dataset)
    load_weights(run.built.network, row / "adapted/seed-0/model.safetensors", digest)
    expected, logits = run.evaluate("test"), predict(run.built.network, run.data["test"]).logits
    load_weights(run.built.network, row / "train/seed-0/model.safetensors", digest)
    assert run.evaluate("test") != expected
    entries = json.loads((project / "runs" / TABLE / "evaluation/seeds.json").read_text())
    assert next(e for e in entries if (e["seed"], e["split"]) == (0, "test"))["metrics"] == pytest.approx(expected)
    assert next(score(row, project, device="cpu")).test == pytest.approx(expected)
    out = tmp_path / "p.csv"
    result = invoke(predict_command, str(row / "adapted/seed-0"), "data/prepared/digits", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"one seed, {row / 'adapted/seed-0'}" in result.output, "whose weights were taken is said"
    with out.open(newline="") as file:
        rows = np.array([[float(each[f"p_{k}"]) for k in range(10)] for each in csv.DictReader(file)])
    heat = find_trained(row).temperature(row / "train/seed-0")
    np.testing.assert_allclose(rows, (logits / heat).softmax(1).numpy(), rtol=1e-4, atol=1e-6)


def test_a_row_is_found_by_its_final_weights_and_each_stage_by_its_name(row: Path) -> None:
    assert find_trained(row).seeds == (row / "adapted/seed-0", row / "adapted/seed-1")
    assert find_trained(row / "train").seeds == (row / "train/seed-0", row / "train/seed-1")
    assert find_trained(row / "contrast" / "seed-1").seeds == (row / "contrast/seed-1",)


def test_a_stage_that_fails_leaves_what_was_there(row: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {folder: content(row / folder) for folder in FOLDERS}

    def broken(one: Adapted) -> dict[str, bytes]:
        if one.run.options.seed == 1:
            raise KeyboardInterrupt
        return {}

    stage = stages.STAGES["contrast"]
    monkeypatch.setitem(stages.STAGES, "contrast", type(stage)(stage.before, stage.epochs, broken))
    with pytest.raises(KeyboardInterrupt):
        contrast(TABLE, "small", project)
    assert {folder: content(row / folder) for folder in FOLDERS} == before
    assert not [path for path in row.iterdir() if path.name.endswith((".new", ".old"))]


def test_what_a_killed_stage_left_is_cleared_away(row: Path, project: Path) -> None:
    """Killed while it wrote, and killed between its two renames."""
    before = content(row / "contrast")
    (row / ".contrast.new").mkdir()
    (row / ".contrast.new" / "half").write_text("half a file")
    contrast(TABLE, "small", project)
    assert content(row / "contrast") == before
    (row / "contrast").rename(row / ".contrast.old")
    contrast(TABLE, "small", project)
    assert content(row / "contrast") == before
    assert not [path for path in row.iterdir() if path.name.endswith((".new", ".old"))]


def test_failed_seeds_are_carried_along(row: Path, project: Path, spec: Experiment, monkeypatch) -> None:
    """One whose training failed, and one whose adaptation diverges."""
    out = project / "runs/failing"
    shutil.copytree(row / "train", out / "train")
    failed = out / "train/seed-0"
    shutil.rmtree(failed)
    failed.mkdir()
    (failed / "failed.json").write_text('{"error": "x is not finite", "step": 3, "tensor": "x", "modality": null}')
    (failed / "summary.json").write_text('{"status": "failed"}')

    def diverging(one: Adapted) -> dict[str, bytes]:
        raise DivergedError("contrast", 1, [{"epoch": 0.0, "contrast_loss": 3.0}])

    stage = stages.STAGES["contrast"]
    with monkeypatch.context() as patch:
        patch.setitem(stages.STAGES, "contrast", type(stage)(stage.before, stage.epochs, diverging))
        adapt(spec, out, project, "contrast", device="cpu")
    adapt(spec, out, project, "pseudo", device="cpu")
    for folder in FOLDERS:
        reasons = [json.loads((out / folder / f"seed-{seed}/failed.json").read_text()) for seed in (0, 1)]
        assert reasons[0]["error"] == "x is not finite"
        assert reasons[1]["error"].startswith("the loss of stage contrast is not finite in epoch 1")
        assert not list((out / folder).glob("seed-*/model.safetensors"))
    assert history(out / "adapted/seed-1") == [{"epoch": "0", "contrast_loss": "3.0"}]
    with pytest.raises(BuildError, match="no seed of this run has weights"):
        find_trained(out)


def test_what_is_missing_is_said(row: Path, project: Path, spec: Experiment, tmp_path: Path) -> None:
    none = spec.model_copy(update={"adaptation": Experiment.model_fields["adaptation"].get_default()})
    with pytest.raises(BuildError, match="adaptation: kind none has no stage contrast; set kind: casp"):
        adapt(none, row, project, "contrast")
    bare = tmp_path / "bare"
    shutil.copytree(row / "train", bare / "train")
    with pytest.raises(BuildError, match=r"contrast/seed-0: error: this seed is not there"):
        adapt(spec, bare, project, "pseudo")
    shutil.copytree(row / "contrast", bare / "contrast")
    for damage in (b"", b"PK\x03\x04 half a file"):
        (bare / "contrast/seed-0/trajectory.npz").write_bytes(damage)
        with pytest.raises(BuildError, match=r"trajectory.npz: error: it is missing or damaged"):
            adapt(spec, bare, project, "pseudo")
    assert not (bare / "adapted").exists()


def test_a_network_without_normalisation_is_refused_at_build(project: Path, spec: Experiment) -> None:
    encoder = {"encoder": {"kind": "mlp", "hidden": [4]}}
    plain = spec.model_dump(mode="json") | {"modalities": {"rotated": encoder, "noisy": encoder}}
    with pytest.raises(BuildError, match=r"^adaptation: casp moves the scales and shifts"):
        build(Experiment.model_validate(plain), 0, project=project, device="cpu")
    tent = Experiment.model_validate(plain | {"adaptation": {"kind": "none"}, "prediction": {"kind": "tent"}})
    with pytest.raises(BuildError, match=r"^prediction: tent moves"):
        build(tent, 0, project=project, device="cpu")


def test_training_anew_takes_away_what_was_adapted(row: Path, project: Path, spec: Experiment) -> None:
    out = project / "runs/anew"
    for folder in ("train", *FOLDERS):
        shutil.copytree(row / folder, out / folder)
    train(spec, out, key=TABLE, project=project, device="cpu")
    assert [path.name for path in sorted(out.iterdir()) if path.is_dir()] == ["train"]


def test_a_predictor_that_adapts_selects_plainly_and_is_measured_adapting(project: Path, spec: Experiment) -> None:
    changes = {"adaptation": {"kind": "none"}, "prediction": {"kind": "tent", "lr": 1e-2, "batch_size": 32}}
    run = build(Experiment.model_validate(spec.model_dump(mode="json") | changes), 0, project=project, device="cpu")
    fitted = run.fit()
    plain = build(spec, 0, project=project, device="cpu")
    same = plain.fit()
    assert fitted.history == same.history
    assert all(torch.equal(t, same.network.state_dict()[n]) for n, t in fitted.network.state_dict().items())
    assert run.evaluate("test") != plain.evaluate("test")
    calibrated = CALIBRATION["classes"]
    assert calibrated(run) == calibrated(plain)


def test_cggm_train_adapts_as_the_spec_says(row, project, spec, invoke) -> None:
    (project / "specs/experiments/adapting.yaml").write_text(dump(spec))
    out = project / "runs/local/adapting"
    result = invoke(train_command, "adapting", "--seeds", "0", "--out", str(out), "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert content(out / "adapted/seed-0") == content(row / "adapted/seed-0")
    found = next(score(out, project, device="cpu")).test
    assert f"{found['accuracy']:.4f}" in result.output
