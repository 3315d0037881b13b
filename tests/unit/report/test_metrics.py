"""Names that say their convention, directions, and values of samples that evaluation stored."""

from __future__ import annotations

import numpy as np
import pytest

from cggm_pipeline.report.differences import Side, paired
from cggm_pipeline.report.metrics import METRICS, metric
from cggm_pipeline.report.runs import read_predictions
from cggm_pipeline.report.statistics import crossed_difference, t_difference
from cggm_pipeline.spec import tasks


@pytest.mark.parametrize(
    ("name", "heading", "higher"),
    [
        ("acc2", "Acc-2 (zero negative) [%]", True),
        ("acc2_nonzero", "Acc-2 (zeros excluded) [%]", True),
        ("f1", "Weighted F1 (zero negative) [%]", True),
        ("f1_nonzero", "Weighted F1 (zeros excluded) [%]", True),
        ("acc7", "Acc-7 [%]", True),
        ("dice", "Dice per case [%]", True),
        ("dice_wt", "Dice per case, WT [%]", True),
        ("dice_spinal_cord", "Dice per case, spinal cord [%]", True),
        ("slice_dice", "Dice per slice [%]", True),
        ("slice_dice_tc", "Dice per slice, TC [%]", True),
        ("hd95_et", "HD95, ET [mm]", False),
    ],
)
def test_a_metric_says_its_convention_and_its_direction(name, heading, higher):
    found = metric(name)
    assert (found.name, found.heading, found.higher_is_better) == (name, heading, higher)


@pytest.mark.parametrize("kind", ["Classification", "Regression", "Sentiment", "Segmentation"])
def test_the_report_knows_every_metric_of_every_task_and_its_direction(kind):
    fields = {"kind": kind.lower(), **({"regions": {"wt": [1]}} if kind == "Segmentation" else {})}
    spec = getattr(tasks, kind).model_validate(fields)
    for name, higher in {**spec.metrics, **spec.tested()}.items():
        assert metric(name).higher_is_better is higher, name
        assert name in METRICS or metric(name).heading != metric(f"x{name}").heading.removeprefix("X"), name


def test_an_unknown_metric_is_no_region_of_a_known_one():
    assert metric("dicey").title == "Dicey"
    assert metric("hd95").title == "HD95"


def stored(folder, row: str, seed: int, values: np.ndarray, **arrays) -> None:
    path = folder / "evaluation" / "predictions"
    path.mkdir(parents=True, exist_ok=True)
    ids = np.array([f"case {index}" for index in range(len(values))])
    np.savez(path / f"{row}-{seed}.npz", ids=ids, sample_dice=values, **arrays)


def test_stored_values_of_cases_are_drawn_anew(tmp_path):
    """A segmentation keeps no predictions: the interval comes from the Dice of every case."""
    random = np.random.default_rng(0)
    sides = {row: [random.random(30) for _ in range(3)] for row in ("ours", "theirs")}
    for row, seeds in sides.items():
        for seed, values in enumerate(seeds):
            stored(tmp_path, row, seed, values)
    found = read_predictions(tmp_path, "ours", 1)
    assert found.target is None
    assert found.prediction is None
    np.testing.assert_array_equal(found.samples["dice"], sides["ours"][1])
    one, other = (Side(tmp_path, row, {s: float(v.mean()) for s, v in enumerate(sides[row])}) for row in sides)
    assert paired(one, other, metric("dice")) == crossed_difference(sides["ours"], sides["theirs"])
    assert paired(one, other, metric("dice")).covers == "seeds and samples"
    # F1 is no mean over samples: over seeds alone, whatever is stored
    assert paired(one, other, metric("f1_nonzero")) == t_difference(one.values, other.values)


@pytest.mark.parametrize("name", ["slice_dice", "slice_dice_wt", "acc2", "acc2_nonzero", "acc7", "acc5", "acc3"])
def test_means_over_samples_are_stored_and_drawn_anew(name):
    assert metric(name).by_sample
    assert not metric("f1").by_sample
    assert not metric("corr").by_sample


def test_without_stored_values_the_interval_covers_seeds_alone(tmp_path):
    random = np.random.default_rng(0)
    for row in ("ours", "theirs"):
        for seed in range(3):
            stored(tmp_path, row, seed, random.random(30))
    sides = [Side(tmp_path, row, {seed: random.random() for seed in range(3)}) for row in ("ours", "theirs")]
    assert paired(*sides, metric("dice_wt")).covers == "seeds"
    assert paired(*sides, metric("accuracy")).covers == "seeds"
