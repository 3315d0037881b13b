"""Segmentation: Dice per case and per slice against MONAI and plain restatements, streamed as it comes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.spec import tasks as specs
from cggm_pipeline.tasks.overlap import overlap, region_table
from cggm_pipeline.tasks.segmentation import Segmentation, enlarged
from cggm_pipeline.tasks.surface import ONE_EMPTY, hausdorff95

BRATS = {"wt": (1, 2, 3), "tc": (1, 3), "et": (3,)}
CLASSES = 4


def masks(number: int, seed: int, size: int = 12) -> Tensor:
    """Class masks in patches, some slices empty."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(CLASSES, (number, size // 3, size // 3), generator=generator)
    coarse[::5] = 0
    return coarse.repeat_interleave(3, 1).repeat_interleave(3, 2).to(torch.uint8)


def sure(classes: Tensor) -> Tensor:
    """Logits of these classes."""
    return 9 * F.one_hot(classes.long(), CLASSES).movedim(-1, 1).float()


def metered(task: Segmentation, predicted: Tensor, target: Tensor, cuts: list[int], **options) -> dict:
    meter = task.meter(**options)
    for part in zip(sure(predicted).split(cuts), target.split(cuts), strict=True):
        meter.add(*part)
    return {"result": meter.result(), "samples": meter.samples()}


def dice(predicted: np.ndarray, target: np.ndarray, members: tuple[int, ...]) -> float:
    """The definition, on a whole volume."""
    one, other = np.isin(predicted, members), np.isin(target, members)
    total = one.sum() + other.sum()
    return 1.0 if total == 0 else 2 * (one & other).sum() / total


@pytest.mark.parametrize("cuts", [[10], [3, 4, 3], [1] * 10])
def test_cases_are_measured_over_their_volume_wherever_batches_cut(cuts):
    predicted, target, groups = masks(10, 0), masks(10, 1), list("aaaabbbbbc")
    found = metered(Segmentation(CLASSES, regions=BRATS), predicted, target, cuts, groups=groups, full=True)
    edges = [slice(0, 4), slice(4, 9), slice(9, 10)]
    for region, members in BRATS.items():
        volumes = [(predicted[edge].numpy(), target[edge].numpy()) for edge in edges]
        expected = [dice(*volume, members) for volume in volumes]
        np.testing.assert_allclose(found["samples"][f"dice_{region}"], expected)
        assert found["result"][f"dice_{region}"] == pytest.approx(np.mean(expected))
        flat = [(one[0], other[0]) if len(one) == 1 else (one, other) for one, other in volumes]
        distances = [hausdorff95(np.isin(one, members), np.isin(other, members)) for one, other in flat]
        np.testing.assert_allclose(found["samples"][f"hd95_{region}"], distances)
        assert found["result"][f"hd95_{region}"] == pytest.approx(np.mean(distances))
    means = [np.mean([found["samples"][f"dice_{region}"][case] for region in BRATS]) for case in range(3)]
    np.testing.assert_allclose(found["samples"]["dice"], means)
    assert found["result"]["dice"] == pytest.approx(np.mean(means))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 7), st.integers(0, 99))
def test_any_cut_gives_the_same_numbers(lengths, batch, seed):
    number = sum(lengths)
    groups = [f"case {index}" for index, length in enumerate(lengths) for _ in range(length)]
    predicted, target = masks(number, seed), masks(number, seed + 1)
    task = Segmentation(CLASSES, regions=BRATS)
    whole = metered(task, predicted, target, [number], groups=groups, full=True)
    cuts = [min(batch, number - start) for start in range(0, number, batch)]
    pieces = metered(task, predicted, target, cuts, groups=groups, full=True)
    assert {k: v for k, v in whole["result"].items() if k != "loss"} == {
        k: v for k, v in pieces["result"].items() if k != "loss"
    }
    for name, values in whole["samples"].items():
        assert len(values) == len(lengths)
        np.testing.assert_array_equal(values, pieces["samples"][name])


def test_overlap_counts_both_the_predicted_and_the_true_pixels():
    predicted, target = masks(4, 0), masks(4, 1)
    found = overlap(predicted, target, region_table(BRATS, CLASSES))
    for row, members in enumerate(BRATS.values()):
        one, other = (np.isin(mask.numpy(), members) for mask in (predicted, target))
        expected = [(one & other).sum((1, 2)), one.sum((1, 2)), other.sum((1, 2))]
        np.testing.assert_array_equal(found[:, row].numpy(), np.stack(expected, 1))


def test_dice_against_monai():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monai = pytest.importorskip("monai.metrics")
    predicted, target = masks(12, 2), masks(12, 3)
    found = metered(Segmentation(CLASSES), predicted, target, [12])["samples"]
    hot = [F.one_hot(mask.long(), CLASSES).movedim(-1, 1) for mask in (predicted, target)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = monai.DiceMetric(include_background=False, ignore_empty=False)(*hot).numpy()
    for index in range(1, CLASSES):
        np.testing.assert_allclose(found[f"dice_class_{index}"], expected[:, index - 1], rtol=1e-6)


def test_dice_against_torchmetrics():
    """Pixels of all slices together, foreground classes: the Dice of a class is its F1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        functional = pytest.importorskip("torchmetrics.functional")
    predicted, target = masks(6, 4), masks(6, 5)
    found = metered(Segmentation(CLASSES), predicted, target, [6], groups=["one"] * 6)["result"]
    expected = functional.f1_score(
        predicted.long().ravel(), target.long().ravel(), task="multiclass", num_classes=CLASSES, average="none"
    )
    for index in range(1, CLASSES):
        assert found[f"dice_class_{index}"] == pytest.approx(float(expected[index]), rel=1e-6)


def test_a_case_stands_for_its_slices_where_samples_are_drawn_anew():
    """The mean over cases of what a case adds is the mean over slices, and a case of more slices adds more."""
    predicted, target = masks(11, 6), masks(11, 7)
    task = Segmentation(CLASSES, regions=BRATS)
    found = metered(task, predicted, target, [4, 7], groups=list("aaabbbbbbcc"))
    alone = metered(task, predicted, target, [4, 7])["samples"]
    for name in ("slice_dice", *(f"slice_dice_{region}" for region in BRATS)):
        each = found["samples"][name]
        assert each.shape == found["samples"]["dice"].shape == (3,)
        assert each.mean() == pytest.approx(found["result"][name])
        slices = alone[name]
        np.testing.assert_allclose(each, [slices[a:b].sum() * 3 / 11 for a, b in ((0, 3), (3, 9), (9, 11))])


def test_slice_dice_is_the_released_codes():
    """2 (I + eps) / (P + T + 2 eps) with eps 1e-3 per slice, averaged over slices: whatever the cases are."""
    predicted, target = masks(11, 6), masks(11, 7)
    found = metered(Segmentation(CLASSES, regions=BRATS), predicted, target, [4, 7], groups=list("aaaaabbbbbb"))
    expected = []
    for region, members in BRATS.items():
        one, other = (np.isin(mask.numpy(), members).astype(float) for mask in (predicted, target))
        per_slice = 2 * ((one * other).sum((1, 2)) + 1e-3) / (one.sum((1, 2)) + other.sum((1, 2)) + 2e-3)
        expected.append(per_slice.mean())
        assert found["result"][f"slice_dice_{region}"] == pytest.approx(per_slice.mean())
    assert found["result"]["slice_dice"] == pytest.approx(np.mean(expected))
    score = Segmentation(CLASSES, regions=BRATS).score(sure(predicted), target)
    assert float(score) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("predicted", "target", "expected", "distance"),
    [(0, 0, 1, 0), (0, 3, 0, ONE_EMPTY), (3, 0, 0, ONE_EMPTY), (3, 3, 1, 0)],
)
def test_empty_and_full_masks(predicted, target, expected, distance):
    given, truth = torch.full((2, 6, 6), predicted), torch.full((2, 6, 6), target)
    found = metered(Segmentation(CLASSES, regions=BRATS), given, truth, [2], groups=["a", "a"], full=True)["result"]
    for region in BRATS:
        assert found[f"dice_{region}"] == expected
        assert found[f"hd95_{region}"] == distance
        assert found[f"slice_dice_{region}"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_pixel_against_none_is_a_miss(swapped):
    one, none = torch.zeros(1, 6, 6, dtype=torch.long), torch.zeros(1, 6, 6, dtype=torch.long)
    one[0, 2, 3] = 3
    pair = (none, one) if swapped else (one, none)
    found = metered(Segmentation(CLASSES, regions=BRATS), *pair, [1])["result"]
    assert [found[f"dice_{region}"] for region in BRATS] == [0, 0, 0]


def test_constant_logits_predict_the_background():
    found = Segmentation(CLASSES).metrics(torch.zeros(2, CLASSES, 6, 6), masks(2, 8, 6))
    assert all(np.isfinite(value) for value in found.values())


def test_hd95_is_measured_of_a_full_evaluation_that_asks_for_it():
    predicted, target = masks(3, 0), masks(3, 1)
    asked = metered(Segmentation(CLASSES), predicted, target, [3], full=True)
    assert {"hd95_class_1", "hd95_class_2", "hd95_class_3"} <= asked["result"].keys()
    for task, full in ((Segmentation(CLASSES), False), (Segmentation(CLASSES, hd95=False), True)):
        found = metered(task, predicted, target, [3], full=full)
        assert not any(name.startswith("hd95") for name in (*found["result"], *found["samples"]))


def test_without_cases_each_slice_is_measured_in_its_plane():
    predicted, target = masks(4, 2), masks(4, 3)
    found = metered(Segmentation(CLASSES, regions=BRATS), predicted, target, [4], full=True)["samples"]
    expected = [
        hausdorff95(np.isin(one, [1, 2, 3]), np.isin(other, [1, 2, 3]))
        for one, other in zip(predicted.numpy(), target.numpy(), strict=True)
    ]
    np.testing.assert_allclose(found["hd95_wt"], expected)


def test_the_masks_of_one_case_are_kept_and_no_more():
    meter = Segmentation(CLASSES, regions=BRATS).meter(["a"] * 3 + ["b"] * 5, full=True)
    waiting = []
    for one, other in zip(masks(8, 0), masks(8, 1), strict=True):
        meter.add(sure(one[None]), other[None])
        waiting.append(len(meter._volumes._waiting))
    assert waiting == [1, 2, 0, 1, 2, 3, 4, 0]


def test_groups_that_do_not_fit_the_samples_are_refused():
    meter = Segmentation(CLASSES).meter(["a", "a", "b"])
    meter.add(sure(masks(2, 0)), masks(2, 0))
    with pytest.raises(RuntimeError):
        meter.result()


def test_small_logits_are_made_as_large_as_the_mask():
    task, target = Segmentation(CLASSES, regions=BRATS), masks(3, 4)
    small = torch.randn(3, CLASSES, 4, 4, generator=torch.Generator().manual_seed(0))
    large = F.interpolate(small, size=(12, 12), mode="bilinear", align_corners=False)
    assert torch.equal(enlarged(small, (12, 12)), large)
    assert torch.equal(task.loss(small, target), task.loss(large, target))
    assert torch.equal(task.score(small, target), task.score(large, target))
    assert task.metrics(small, target) == task.metrics(large, target)
    assert torch.equal(task.classes(small, (12, 12)), large.argmax(1))
    assert torch.equal(task.predict(small), small.softmax(1))


def test_the_loss_of_a_split_is_weighted_by_samples():
    task, given, target = Segmentation(CLASSES), torch.randn(5, CLASSES, 12, 12), masks(5, 5)
    meter = task.meter()
    for rows in (slice(0, 4), slice(4, 5)):
        meter.add(given[rows], target[rows])
    expected = (4 * task.loss(given[:4], target[:4]) + task.loss(given[4:], target[4:])) / 5
    assert meter.result()["loss"] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("regions", [None, {"wt": [1, 2, 3], "et": [3]}])
def test_what_is_measured_is_what_the_spec_says(regions):
    spec = specs.Segmentation.model_validate({"kind": "segmentation", "regions": regions})
    task = Segmentation(CLASSES, regions=regions)
    assert spec.measured().items() <= dict(task.higher_is_better).items()
    if regions is not None:
        assert spec.measured() == dict(task.higher_is_better)
        full = metered(task, masks(2, 0), masks(2, 1), [2], full=True)["result"]
        assert full.keys() == {"loss", *spec.tested()}
        assert not spec.tested()["hd95_wt"]
