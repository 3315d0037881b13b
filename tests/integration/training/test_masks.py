"""A segmentation from raw cases to metrics, predictions and report: what is kept of it, and what it is a mean of."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cggm_pipeline.build import build
from cggm_pipeline.build.data import prepare
from cggm_pipeline.build.evaluate import evaluate
from cggm_pipeline.build.predict import predict
from cggm_pipeline.build.train import train
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.twins import brats, marker
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors.plain import forward
from cggm_pipeline.report import write
from cggm_pipeline.spec import Project, dump, load_dataset, load_experiment
from cggm_pipeline.tasks.surface import hausdorff95

DATASET = """\
version: 1
kind: dataset
source: {kind: brats, path: raw}
split: {kind: random, valid: 0.2, test: 0.4, seed: 0}
modalities:
  flair: {shape: [1, 48, 48], dtype: float16}
  t1: {shape: [1, 48, 48], dtype: float16}
  t1ce: {shape: [1, 48, 48], dtype: float16}
  t2: {shape: [1, 48, 48], dtype: float16}
target: {kind: mask, number: 4, shape: [48, 48], names: [background, necrosis, edema, enhancing]}
"""
EXPERIMENT = """\
version: 1
kind: experiment
data: cases
modalities:
  flair: {encoder: {kind: smp, model: tu-test_resnet, depth: 4}}
  t1ce: {encoder: {kind: smp, model: tu-test_resnet, depth: 4}}
fusion: {kind: smp_decoder, decoder: fpn, width: 32}
task:
  kind: segmentation
  loss: {kind: cross_entropy_dice, class_weights: balanced}
  regions: {wt: [1, 2, 3], et: [3]}
modulation: {kind: cggm, preset: stable}
training: {epochs: 1, batch_size: 16, optimizer: {kind: adam, lr: 1.0e-3}, per_group: 8}
seeds: [0, 1]
"""
CLAIMS = """\
version: 1
kind: claims
paper: Somebody 2024
table: Table 3
dataset: BraTS 2021
source: [a test]
status: invented for a test
columns:
  Avg: {metric: dice, unit: percent, direction: higher}
rows:
  Joint: {Avg: 69.21}
"""


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with made-up cases, prepared; a row trained, and the table evaluated."""
    root = tmp_path_factory.mktemp("masks")
    brats.write(root / "raw", cases=5)
    marker.mark(root / "raw", "brats", 0)
    for name, text in {"datasets/cases": DATASET, "experiments/small": EXPERIMENT, "claims/paper": CLAIMS}.items():
        (root / "specs" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"specs/{name}.yaml").write_text(text)
    project = Project(root)
    dataset, experiment = load_dataset("cases", project).spec, load_experiment("small", project).spec
    prepare(dataset, "cases", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CGGM_WORKERS", "1")
        patch.setenv("ACCELERATE_USE_CPU", "1")
        train(experiment, root / "runs/table/small", key="table", project=root)
    row = "rows: {small: {label: Joint training, published: {table: paper, row: Joint}}}"
    table = f"title: BraTS\ndata: cases\nbaseline: small\nmetric: null\nseeds: [0, 1]\norder: [small]\n{row}\n"
    for path, text in (
        ("tables/table.yaml", table),
        ("table/small.yaml", dump(experiment)),
        ("datasets/cases.yaml", dump(dataset)),
    ):
        (root / "specs/resolved" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "specs/resolved" / path).write_text(text)
    evaluate("table", root)
    return root


def test_what_evaluation_keeps_is_per_case(masks):
    """Restated from the network's own masks, case by case."""
    folder = masks / "runs/table/evaluation"
    entries = json.loads((folder / "seeds.json").read_text())
    test = next(entry for entry in entries if (entry["seed"], entry["split"]) == (0, "test"))
    assert test["probes"] == {}
    assert json.loads((folder / "confusion.json").read_text()) == {}
    valid = next(entry for entry in entries if (entry["seed"], entry["split"]) == (0, "valid"))
    assert {"hd95_wt", "hd95_et"} == test["metrics"].keys() - valid["metrics"].keys()

    split = Prepared.open(masks / "data/prepared/cases").split("test")
    run = build(load_experiment("small", Project(masks)).spec, 0, project=masks, device="cpu")
    weights = masks / "runs/table/small/train/seed-0/model.safetensors"
    load_weights(run.built.network, weights, spec_digest(run.experiment, run.dataset))
    found: list[np.ndarray] = []
    forward(
        run.built.network,
        run.data["test"],
        lambda logits, _: found.append(run.built.task.classes(logits, (48, 48)).numpy()),
    )
    predicted, target = np.concatenate(found), split.targets(np.arange(len(split)))
    with np.load(folder / "predictions/small-0.npz", allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    cases = list(dict.fromkeys(split.groups))
    assert len(cases) == 2
    assert kept["ids"].tolist() == cases
    assert not {"logits", "prediction", "target"} & kept.keys()
    for name, members in {"wt": (1, 2, 3), "et": (3,)}.items():
        for number, case in enumerate(cases):
            rows = [index for index, group in enumerate(split.groups) if group == case]
            one, other = np.isin(predicted[rows], members), np.isin(target[rows], members)
            assert kept[f"sample_dice_{name}"][number] == pytest.approx(
                2 * (one & other).sum() / (one.sum() + other.sum())
            )
            assert kept[f"sample_hd95_{name}"][number] == hausdorff95(one, other)
        assert test["metrics"][f"dice_{name}"] == pytest.approx(kept[f"sample_dice_{name}"].mean())


def test_predicted_masks_are_the_mean_of_the_seeds(masks, tmp_path):
    out = tmp_path / "deep/masks.npz"
    number, seeds = predict(masks / "runs/table/small", masks / "data/prepared/cases", out, device="cpu")
    split = Prepared.open(masks / "data/prepared/cases").split("test")
    with np.load(out, allow_pickle=False) as file:
        assert file["masks"].shape == (number, 48, 48) == (len(split), 48, 48)
        assert file["masks"].dtype == np.uint8
        assert file["masks"].max() < 4
        assert file["ids"].tolist() == split.ids
        assert file["groups"].tolist() == split.groups
        both = file["masks"]
    assert [path.name for path in seeds] == ["seed-0", "seed-1"]
    assert [path.name for path in out.parent.iterdir()] == ["masks.npz"]
    singles = []
    for seed in (0, 1):
        predict(masks / f"runs/table/small/train/seed-{seed}", masks / "data/prepared/cases", out, device="cpu")
        with np.load(out) as file:
            singles.append(file["masks"])
    agreed = singles[0] == singles[1]
    assert np.array_equal(both[agreed], singles[0][agreed])


def test_masks_are_written_as_npz_alone(masks, tmp_path):
    with pytest.raises(BuildError, match=r"'.csv' is no format \(allowed: .npz\)"):
        predict(masks / "runs/table/small", masks / "data/prepared/cases", tmp_path / "masks.csv")


def test_the_report_says_the_conventions_and_gives_no_verdict_on_made_up_cases(masks):
    text = io.StringIO()
    write("table", masks, Console(file=text, width=200))
    assert "made by `cggm twin brats`" in text.getvalue()
    printed = (masks / "runs/table/report.html").read_text()
    for heading in ("Dice per case [%]", "Dice per case, WT [%]", "Dice per slice, ET [%]", "HD95, WT [mm]"):
        assert heading in printed, heading
    rows = list(csv.DictReader(io.StringIO((masks / "runs/table/table.csv").read_text())))
    dice = next(row for row in rows if row["metric"] == "dice")
    assert (dice["published"], dice["verdict"]) == ("69.21", "no verdict: not the real data")
