"""Shapley contributions against their axioms and a walk over all orders."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cggm_pipeline.evaluation.contributions import shapley, subsets


def test_the_subsets_of_two():
    assert subsets(["b", "a"]) == [frozenset(), frozenset("a"), frozenset("b"), frozenset("ab")]


@given(st.integers(1, 4).flatmap(lambda number: st.lists(st.floats(0, 1), min_size=2**number, max_size=2**number)))
def test_contributions_are_the_mean_gain_over_all_orders_and_add_up(numbers):
    names = "abcd"[: len(numbers).bit_length() - 1]
    values = dict(zip(subsets(names), numbers, strict=True))
    orders = list(permutations(names))
    expected = dict.fromkeys(names, 0.0)
    for order in orders:
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            expected[name] += (values[before | {name}] - values[before]) / len(orders)
    found = shapley(values)
    assert found == pytest.approx(expected)
    assert sum(found.values()) == pytest.approx(values[frozenset(names)] - values[frozenset()])


def test_two_modalities_in_numbers():
    values = {frozenset(): 0.1, frozenset("a"): 0.7, frozenset("b"): 0.3, frozenset("ab"): 0.8}
    assert shapley(values) == pytest.approx({"a": 0.55, "b": 0.15})
