"""An epoch of groups: so many of each, never twice, anew each time."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cggm_pipeline.data.batches import order
from cggm_pipeline.errors import DataError


@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60),
    per_group=st.integers(1, 7),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_so_many_of_each_group_and_no_sample_twice(groups: list[str], per_group: int, seed: int) -> None:
    drawn = order(len(groups), seed, 3, groups, per_group)
    assert len(set(drawn.tolist())) == len(drawn)
    found = Counter(groups[index] for index in drawn.tolist())
    assert found == {group: min(number, per_group) for group, number in Counter(groups).items()}
    assert torch.equal(drawn, order(len(groups), seed, 3, groups, per_group))
    assert drawn.dtype == torch.int64


def test_every_sample_of_a_group_comes_up_equally_often_and_places_are_shuffled() -> None:
    groups = ["a"] * 4 + ["b"] * 8
    times, first = Counter(), Counter()
    for epoch in range(1500):
        drawn = order(12, 0, epoch, groups, 2).tolist()
        times.update(drawn)
        first[groups[drawn[0]]] += 1
    assert all(times[index] / 1500 == pytest.approx(0.5, abs=0.05) for index in range(4))
    assert all(times[index] / 1500 == pytest.approx(0.25, abs=0.05) for index in range(4, 12))
    assert first["a"] / 1500 == pytest.approx(0.5, abs=0.05)


def test_without_per_group_the_order_is_the_plain_one() -> None:
    assert torch.equal(order(20, 1, 2, ["a", "b"] * 10), order(20, 1, 2))
    assert sorted(order(20, 1, 2, ["a", "b"] * 10, 10).tolist()) == list(range(20))


def test_per_group_needs_groups() -> None:
    with pytest.raises(DataError, match=r"training\.per_group: the data have no groups"):
        order(20, 1, 2, None, 3)
