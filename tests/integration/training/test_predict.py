"""`cggm predict`: calibrated probabilities for prepared data and for a CSV without targets."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pyarrow import parquet

from cggm_pipeline.build import build
from cggm_pipeline.build.train import train
from cggm_pipeline.cli import train_
from cggm_pipeline.cli.predict_ import command as predict_command
from cggm_pipeline.data.manifest import Manifest
from cggm_pipeline.errors import BuildError, CggmError, DataError
from cggm_pipeline.spec import Project, load_experiment


def test_predictions_for_prepared_data(trained, project, tmp_path, invoke):
    result = invoke(predict_command, str(trained), "data/prepared/digits", "--out", str(tmp_path / "p.parquet"))
    assert result.exit_code == 0, result.output
    assert f"mean of 2 seeds in {trained / 'train'}, written to" in result.output
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["id", "prediction", *(f"p_{k}" for k in range(10))]
    probabilities = np.stack([table.column(f"p_{k}").to_numpy() for k in range(10)], 1)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_one_seed_gives_its_calibrated_probabilities(trained, project, tmp_path, invoke):
    seed = trained / "train/seed-0"
    out = tmp_path / "p.csv"
    result = invoke(predict_command, str(seed), "data/prepared/digits", "--split", "valid", "--out", str(out))
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


def test_predictions_for_a_csv_without_targets(project, tmp_path, invoke, new_points):
    spec = load_experiment("sides", Project(project)).spec
    train(spec, project / "runs/sides", key="sides", project=project)
    new_points(tmp_path / "new.csv", 60)
    out = tmp_path / "p.csv"
    result = invoke(predict_command, str(project / "runs/sides"), str(tmp_path / "new.csv"), "--out", str(out))
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
def test_what_cannot_be_predicted_is_named(trained, project, tmp_path, data, out, message, invoke):
    with pytest.raises(CggmError, match=message):
        invoke(predict_command, str(trained), data, "--out", str(tmp_path / out))
    assert not (tmp_path / out).exists()


def test_a_folder_without_a_run_is_named(project, tmp_path, invoke):
    with pytest.raises(BuildError, match="no trained run is here"):
        invoke(predict_command, str(tmp_path), "data/prepared/digits", "--out", str(tmp_path / "p.csv"))


def test_a_bad_csv_is_told_by_line(project, tmp_path, invoke):
    spec = load_experiment("sides", Project(project)).spec
    train(spec, project / "runs/sides", key="sides", project=project)
    (tmp_path / "new.csv").write_text("name,x,y,t\np1,1.0,wide,2.0\n")
    with pytest.raises(DataError, match=r"new.csv:2.*wide"):
        invoke(
            predict_command,
            str(project / "runs/sides"),
            str(tmp_path / "new.csv"),
            "--out",
            str(tmp_path / "p.csv"),
        )


def branded(path, banner):
    """The manifest at `path`, as if its data had been made up."""
    manifest = Manifest.parse(path.read_text())
    path.write_text(replace(manifest, banner=banner, digest="").dump())


def test_what_is_predicted_of_made_up_data_says_so(trained, project, tmp_path, invoke):
    banner = "made by `cggm twin digits` with seed 0: no real data, no result"
    arguments = ("data/prepared/digits", "--out", str(tmp_path / "p.csv"))
    assert "no real data" not in invoke(predict_command, str(trained), *arguments).output
    run = shutil.copytree(trained, tmp_path / "run")
    branded(run / "train" / "manifest.json", banner)
    result = invoke(predict_command, str(run), *arguments)
    assert result.exit_code == 0, result.output
    assert banner in result.stderr.splitlines()


def test_the_table_of_train_says_that_data_are_made_up(trained, project, tmp_path, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    branded(run / "train" / "manifest.json", "made by `cggm twin digits` [with] seed 0")
    train_._report(run, project, {0: {"status": "failed"}}, "cpu")
    assert capsys.readouterr().out.startswith("made by `cggm twin digits` [with] seed 0\n")
