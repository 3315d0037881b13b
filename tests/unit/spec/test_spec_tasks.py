"""What a task must get right: its metrics, its classes, its regions; a table that names one of its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

CASES = """\
version: 1
kind: dataset
source: {kind: brats, path: data/raw/brats}
split: {kind: random, valid: 0.1, test: 0.1, seed: 0}
modalities:
  flair: {shape: [1, 64, 64]}
  t1: {shape: [1, 64, 64]}
  t1ce: {shape: [1, 64, 64]}
  t2: {shape: [1, 64, 64]}
target: {kind: mask, number: 4, shape: [64, 64]}
"""
SEGMENTED = """\
version: 1
kind: experiment
data: cases
modalities:
  flair: {encoder: {kind: smp, model: resnet18}}
  t2: {encoder: {kind: smp, model: resnet18}}
fusion: {kind: deeplab}
task:
  kind: segmentation
  loss: {kind: cross_entropy_dice, class_weights: [0.2, 0.3, 0.25, 0.25]}
  regions: {wt: [1, 2, 3], et: [3]}
training: {epochs: 1, batch_size: 2, optimizer: {kind: sgd, lr: 0.1}, selection: {metric: dice_wt, mode: max}}
"""
TABLE = "version: 1\nkind: table\nbase: experiments/masks.yaml\nmetric: METRIC\nrows: {Joint: {}}\n"


@pytest.fixture
def masks(desk: Desk) -> Desk:
    desk.write("datasets/cases.yaml", CASES)
    desk.write("experiments/masks.yaml", SEGMENTED)
    return desk


def test_a_good_segmentation_has_no_faults(masks: Desk) -> None:
    assert masks.problems("experiments/masks.yaml") == []


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "allowed"),
    [
        ("et: [3]", "et: [3, 4]", "11:32: task.regions.et", "there is no class 4; the data have 4", "1 to 3"),
        ("0.25, 0.25]", "0.25]", "10:51: task.loss.class_weights", "3 weights for 4 classes", ""),
        ("dice_wt,", "dice_tc,", "12:91: training.selection.metric", "'dice_tc' is not a metric of segmen", "dice_et"),
        ("dice_wt,", "hd95_wt,", "12:91: training.selection.metric", "'hd95_wt' is not a metric of", "dice_wt"),
        ("mode: max", "mode: min", "12:106: training.selection.mode", "the best dice_wt is not its minimum", "max"),
    ],
)
def test_faults(masks: Desk, old: str, new: str, place: str, message: str, allowed: str) -> None:
    (found,) = masks.problems("experiments/masks.yaml", SEGMENTED.replace(old, new, 1))
    assert f"{found.line}:{found.column}: {found.key}" == place
    assert message in found.message
    assert allowed in found.allowed


def test_a_region_has_no_background(masks: Desk) -> None:
    (found,) = masks.problems("experiments/masks.yaml", SEGMENTED.replace("et: [3]", "et: [0]", 1))
    assert found.key == "task.regions.et.0"


@pytest.mark.parametrize(("metric", "good"), [("dice", True), ("hd95_wt", True), ("dice_tc", False), ("acc2", False)])
def test_a_table_may_be_headed_by_what_is_measured_on_the_test_split(masks: Desk, metric: str, good: bool) -> None:
    found = masks.problems("tables/masks.yaml", TABLE.replace("METRIC", metric))
    assert [one.key for one in found] == ([] if good else ["metric"])


@pytest.mark.parametrize(
    ("scale", "metric", "good"),
    [("mosi", "acc7", True), ("mosi", "acc3", False), ("sims", "acc3", True), ("sims", "acc7", False)],
)
def test_the_accuracies_of_a_sentiment_are_those_of_its_scale(desk: Desk, scale: str, metric: str, good: bool) -> None:
    mosi = desk.root / "specs/datasets/mosi.yaml"
    desk.write("datasets/mosi.yaml", mosi.read_text().replace("{kind: classes, number: 3}", "{kind: values}"))
    found = desk.experiment(
        "training: {",
        f"task: {{kind: sentiment, scale: {scale}}}\ntraining: {{selection: {{metric: {metric}, mode: max}}, ",
        desk.good.replace(next(line for line in desk.good.splitlines(True) if line.startswith("task:")), ""),
    )
    assert [one.key for one in found] == ([] if good else ["training.selection.metric"])
