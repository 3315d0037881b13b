"""Wrong labels on purpose: how many, whose, and that nothing but seed and ids decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cggm_pipeline.data.sources._label_noise import mislabelled

SPLITS = (["train"] * 6 + ["valid", "test"]) * 50
TARGET = np.arange(400) // 100
IDS = [f"s{index}" for index in range(400)]


def noisy(share: float, seed: int = 0) -> np.ndarray:
    return mislabelled(TARGET, IDS, SPLITS, share=share, seed=seed, classes=4)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_that_share_of_every_training_class_is_wrong_and_nobody_else(share: float) -> None:
    wrong = noisy(share) != TARGET
    training = np.array(SPLITS) == "train"
    assert not wrong[~training].any()
    assert wrong.sum() == round(share * training.sum())
    for label in range(4):
        members = training & (label == TARGET)
        assert abs(wrong[members].sum() - share * members.sum()) < 1


def test_a_wrong_label_is_any_other_class_about_equally_often() -> None:
    target, ids = np.zeros(3000, int), [str(index) for index in range(3000)]
    told = mislabelled(target, ids, ["train"] * 3000, share=0.9, seed=1, classes=4)
    counts = np.bincount(told, minlength=4)
    assert counts[0] == 300
    assert np.abs(counts[1:] - 900).max() < 4 * np.sqrt(900 * 2 / 3)


@settings(max_examples=20)
@given(order=st.permutations(range(60)), seed=st.integers(0, 5))
def test_the_order_of_the_samples_changes_nothing(order: list[int], seed: int) -> None:
    rows, target = np.array(order), np.arange(60) % 4
    plain = mislabelled(target, IDS[:60], SPLITS[:60], share=0.3, seed=seed, classes=4)
    ids, splits = [IDS[i] for i in order], [SPLITS[i] for i in order]
    assert np.array_equal(mislabelled(target[rows], ids, splits, share=0.3, seed=seed, classes=4), plain[rows])


def test_more_noise_keeps_the_labels_that_were_wrong_before() -> None:
    little, much = noisy(0.2), noisy(0.6)
    assert np.array_equal(much[little != TARGET], little[little != TARGET])


def test_another_seed_has_other_wrong_labels_and_the_given_ones_stay() -> None:
    before = TARGET.copy()
    assert not np.array_equal(noisy(0.3, 0), noisy(0.3, 1))
    assert np.array_equal(TARGET, before)
