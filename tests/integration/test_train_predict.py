"""From a spec to scores and predictions without DVC: `cggm train`, the evaluation of a table, `cggm predict`."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from pyarrow import parquet

from cggm_pipeline.build import build
from cggm_pipeline.build.data import prepare
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.seeds import workers_for
from cggm_pipeline.build.train import train
from cggm_pipeline.cli.predict_ import command as predict_command
from cggm_pipeline.cli.train_ import command as train_command
from cggm_pipeline.errors import BuildError, CggmError, DataError, TrainingError
from cggm_pipeline.evaluation.evaluate import evaluate as measure
from cggm_pipeline.spec import Project, dump, load_dataset, load_experiment

DIGITS = """\
version: 1
kind: dataset
source: {kind: digits_two_view, noise: 1.0, rotation: 45}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
SMALL = """\
version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: mlp, hidden: [16]}, transforms: [{kind: normalise}]}
  noisy: {encoder: {kind: mlp, hidden: [16]}}
fusion: {kind: concat, width: 16}
task: {kind: classification, loss: {kind: cross_entropy, class_weights: balanced}}
modulation: {kind: cggm, preset: stable}
training: {epochs: 2, batch_size: 64, optimizer: {kind: adam, lr: 5.0e-3}}
seeds: [0, 1]
"""
POINTS = """\
version: 1
kind: dataset
source:
  kind: table
  path: points.csv
  columns:
    where: {columns: [x, y], type: numbers}
    when: {columns: [t], type: numbers}
  target: side
  id: name
split: {kind: stratified, valid: 0.2, test: 0.2, seed: 0}
modalities:
  where: {shape: [2]}
  when: {shape: [1]}
target: {kind: classes, number: 2, names: [left, right]}
"""
SIDES = """\
version: 1
kind: experiment
data: points
modalities:
  where: {encoder: {kind: mlp, hidden: [8]}, transforms: [{kind: normalise}]}
  when: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: concat, width: 8}
task: {kind: classification, loss: {kind: cross_entropy}}
training: {epochs: 25, batch_size: 32, optimizer: {kind: adam, lr: 2.0e-2}}
"""


def write_points(path: Path, number: int, *, target: bool = True) -> None:
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "x", "y", "t", *(["side"] if target else [])])
        for index in range(number):
            x, y, t = random.normal(size=3) * 3
            writer.writerow(
                [f"p{index}", x, y, "" if index % 7 == 0 else t, *(["left" if x < 0 else "right"] * target)]
            )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    documents = {
        "datasets/digits": DIGITS,
        "datasets/points": POINTS,
        "experiments/small": SMALL,
        "experiments/sides": SIDES,
    }
    for name, text in documents.items():
        path = root / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copytree(Path(__file__).parents[2] / "stages", root / "stages")
    write_points(root / "points.csv", 200)
    for name in ("digits", "points"):
        prepare(load_dataset(name, Project(root)).spec, name, root)
    return root


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGGM_WORKERS", "1")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")


@pytest.fixture(scope="module")
def trained(project: Path) -> Path:
    """A trained row, runs/table/small, and its resolved documents."""
    os.environ["CGGM_WORKERS"] = "1"
    spec = load_experiment("small", Project(project)).spec
    train(spec, project / "runs/table/small", key="table", project=project)
    resolved = project / "specs/resolved"
    for path, text in (
        ("tables/table.yaml", "order: [small]\nmetric: null\n"),
        ("table/small.yaml", dump(spec)),
        ("datasets/digits.yaml", dump(load_dataset("digits", Project(project)).spec)),
    ):
        (resolved / path).parent.mkdir(parents=True, exist_ok=True)
        (resolved / path).write_text(text)
    return project / "runs/table/small"


def invoke(project: Path, command, *arguments: str) -> Result:
    before = Path.cwd()
    os.chdir(project)
    try:
        return CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    finally:
        os.chdir(before)


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
        assert found.replace(b'\\"key\\": \\"alone\\"', b'\\"key\\": \\"table\\"') == expected


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
    text = SMALL.replace("lr: 5.0e-3", "lr: 1.0e+38").replace("kind: adam", "kind: sgd")
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
    changed = {"cut": content[: len(content) // 2], "empty": b"", "other": content.replace(b'"network', b'"netw0rk')}
    # the metadata's length must stay, so that only the digest's name is another
    changed["other"] = content.replace(b"network\\", b"netw0rk\\")
    path.unlink() if damage == "missing" else path.write_bytes(changed[damage])


def test_a_full_disk_while_evaluating_leaves_what_was_there(trained, project, monkeypatch):
    import errno

    from cggm_pipeline.data import output

    evaluate("table", project)
    before = (project / "runs/table/evaluation/seeds.json").read_bytes()

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(output, "synced", full)
        with pytest.raises(CggmError, match="disk is full"):
            evaluate("table", project)
    assert (project / "runs/table/evaluation/seeds.json").read_bytes() == before


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


def test_the_command_trains_and_prints_a_table(project):
    result = invoke(project, train_command, "small", "--seeds", "0,1", "--out", "runs/cli")
    assert result.exit_code == 0, result.output
    assert "valid accuracy" in result.output
    assert "±" in result.output
    assert (project / "runs/cli/train/seed-1/model.safetensors").is_file()


def test_what_is_not_prepared_is_said_with_the_command(project):
    text = SMALL.replace("data: digits", "data: more")
    (project / "specs/datasets/more.yaml").write_text(DIGITS)
    (project / "specs/experiments/more.yaml").write_text(text)
    with pytest.raises(DataError, match="cggm prepare more"):
        invoke(project, train_command, "more")


def test_seeds_that_are_no_numbers(project):
    result = invoke(project, train_command, "small", "--seeds", "0;1")
    assert result.exit_code == 2
    assert "0,1,2" in result.output


def test_predictions_for_prepared_data(trained, project, tmp_path):
    result = invoke(
        project, predict_command, str(trained), "data/prepared/digits", "--out", str(tmp_path / "p.parquet")
    )
    assert result.exit_code == 0, result.output
    assert "mean of 2 seeds" in result.output
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["id", "prediction", *(f"p_{k}" for k in range(10))]
    probabilities = np.stack([table.column(f"p_{k}").to_numpy() for k in range(10)], 1)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_one_seed_gives_its_calibrated_probabilities(trained, project, tmp_path):
    seed = trained / "train/seed-0"
    out = tmp_path / "p.csv"
    result = invoke(project, predict_command, str(seed), "data/prepared/digits", "--split", "valid", "--out", str(out))
    assert "one seed" in result.output
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    run = build(load_experiment("small", Project(project)).spec, 0, project=project, device="cpu")
    run.fit()
    temperature = json.loads((seed / "summary.json").read_text())["temperature"]
    batch = next(run.data["valid"].batches(10_000))
    run.built.network.eval()
    expected = (run.built.network.predict(batch.inputs) / temperature).softmax(1)
    found = np.array([[float(row[f"p_{k}"]) for k in range(10)] for row in rows])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)
    assert [row["prediction"] for row in rows] == [str(k) for k in expected.argmax(1).tolist()]


def test_predictions_for_a_csv_without_targets(project, tmp_path):
    spec = load_experiment("sides", Project(project)).spec
    train(spec, project / "runs/sides", key="sides", project=project)
    write_points(tmp_path / "new.csv", 60, target=False)
    out = tmp_path / "p.csv"
    result = invoke(project, predict_command, str(project / "runs/sides"), str(tmp_path / "new.csv"), "--out", str(out))
    assert result.exit_code == 0, result.output
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "prediction", "p_left", "p_right"]
    with (tmp_path / "new.csv").open(newline="") as file:
        points = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [point["name"] for point in points]
    right = [
        row["prediction"] == ("left" if float(p["x"]) < 0 else "right") for row, p in zip(rows, points, strict=True)
    ]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize(
    ("data", "out", "message"),
    [
        ("data/prepared/digits", "p.xlsx", "allowed: .csv, .parquet"),
        ("data/prepared/nothing", "p.csv", "not prepared"),
        ("data/prepared/points", "p.csv", "modality (rotated|noisy) is missing"),
        ("points.csv", "p.csv", "reads no CSV"),
    ],
)
def test_what_cannot_be_predicted_is_named(trained, project, tmp_path, data, out, message):
    with pytest.raises(CggmError, match=message):
        invoke(project, predict_command, str(trained), data, "--out", str(tmp_path / out))
    assert not (tmp_path / out).exists()


def test_a_folder_without_a_run_is_named(project, tmp_path):
    with pytest.raises(BuildError, match="no trained run is here"):
        invoke(project, predict_command, str(tmp_path), "data/prepared/digits", "--out", str(tmp_path / "p.csv"))


def test_a_bad_csv_is_told_by_line(project, tmp_path):
    spec = load_experiment("sides", Project(project)).spec
    train(spec, project / "runs/sides", key="sides", project=project)
    (tmp_path / "new.csv").write_text("name,x,y,t\np1,1.0,wide,2.0\n")
    with pytest.raises(DataError, match=r"new.csv:2.*wide"):
        invoke(
            project,
            predict_command,
            str(project / "runs/sides"),
            str(tmp_path / "new.csv"),
            "--out",
            str(tmp_path / "p.csv"),
        )


def test_the_last_split_is_measured_by_the_same_function(project, monkeypatch):
    monkeypatch.chdir(project)
    run = build(load_experiment("small").spec, device="cpu")
    assert run.evaluate("test") == measure(run.built.network, run.built.task, run.data["test"])
