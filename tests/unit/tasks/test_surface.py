"""HD95 against MONAI, against distances worked out by hand, and where a mask is empty."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from cggm_pipeline.tasks.surface import ONE_EMPTY, hausdorff95


@pytest.fixture(scope="module")
def monai_hd95():
    """MONAI's own, of two masks with any number of axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monai = pytest.importorskip("monai.metrics")

    def distance(predicted: np.ndarray, true: np.ndarray) -> float:
        given = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (predicted, true)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = monai.compute_hausdorff_distance(*given, include_background=True, percentile=95)
        return float(found)

    return distance


def blobs(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A few overlapping balls."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), -1)
    centres = random.uniform(0, 1, (3, len(shape))) * shape
    return np.any([((grid - centre) ** 2).sum(-1) < random.uniform(4, 30) for centre in centres], axis=0)


@pytest.mark.parametrize("shape", [(24, 20), (12, 18, 14)])
@pytest.mark.parametrize("seed", range(6))
def test_against_monai(monai_hd95, shape, seed):
    predicted, true = blobs(shape, seed), blobs(shape, seed + 100)
    assert hausdorff95(predicted, true) == pytest.approx(monai_hd95(predicted, true), rel=1e-5)


@pytest.mark.parametrize("density", [0.02, 0.3, 0.9, 1.0])
def test_noise_and_full_masks_against_monai(monai_hd95, density):
    random = np.random.default_rng(3)
    predicted, true = random.random((2, 9, 11, 10)) < density
    assert hausdorff95(predicted, true) == pytest.approx(monai_hd95(predicted, true), rel=1e-5)


def test_one_voxel_against_another():
    predicted, true = np.zeros((2, 8, 8, 8), bool)
    predicted[0, 0, 0] = true[3, 4, 0] = True
    assert hausdorff95(predicted, true) == 5


def test_the_percentile_leaves_out_a_rare_outlier():
    """100 voxels in a row, one of them 50 away: the maximum is 50, the 95th percentile 0."""
    true = np.zeros((60, 120), bool)
    true[0, :100] = True
    predicted = true.copy()
    predicted[50, 50] = True
    assert hausdorff95(predicted, true) == 0


def test_empty_masks():
    empty, some = np.zeros((2, 4, 4), bool)
    some[1, 1] = True
    assert hausdorff95(empty, empty) == 0
    assert hausdorff95(empty, some) == hausdorff95(some, empty) == ONE_EMPTY
    assert pytest.approx(np.sqrt(240**2 + 240**2 + 155**2), abs=1e-4) == ONE_EMPTY


masks = arrays.arrays(bool, (2, 4, 5, 6))


@settings(deadline=None)
@given(masks)
def test_symmetric_zero_for_the_same_and_blind_to_where_it_lies(pair):
    one, other = pair
    found = hausdorff95(one, other)
    assert found == hausdorff95(other, one)
    assert hausdorff95(one, one) == 0
    assert 0 <= found <= max(ONE_EMPTY, np.sqrt(4**2 + 5**2 + 6**2))
    moved = [np.pad(mask, ((3, 1), (0, 2), (5, 0))) for mask in pair]
    assert hausdorff95(*moved) == found


@settings(deadline=None, max_examples=30)
@given(masks)
def test_any_masks_against_plain_distances(pair):
    """Restated without distance transforms: all pairs of surface voxels."""
    if not (pair[0].any() and pair[1].any()):
        return

    def surface(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        inner = padded.copy()
        for axis in range(3):
            inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
        return np.argwhere(padded & ~inner)

    one, other = (surface(mask) for mask in pair)
    distances = np.sqrt(((one[:, None] - other[None]) ** 2).sum(-1))
    expected = max(np.percentile(distances.min(axis), 95) for axis in (0, 1))
    assert hausdorff95(*pair) == pytest.approx(expected)
