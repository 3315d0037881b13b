"""Average ranks, Friedman's test and the critical difference against scipy and Demsar's critical values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cggm_pipeline.report.ranks import Friedman, critical_difference, friedman, groups, least_number, ranks


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("number", "methods"), [(4, 3), (14, 4), (6, 12)])
def test_friedman_is_that_of_scipy_with_and_without_ties(seed, number, methods):
    generator = np.random.default_rng(seed)
    for scores in (generator.normal(size=(number, methods)), generator.integers(0, 4, (number, methods)).astype(float)):
        found = friedman(ranks(scores))
        assert found is not None
        assert found.chi2 == pytest.approx(stats.friedmanchisquare(*scores.T).statistic)


def test_the_critical_difference_of_demsars_example():
    """Section 3.2.2: four methods on 14 data sets, 1.25."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize(
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_critical_values_are_those_of_demsars_table(methods, q):
    """Table 5a, alpha 0.05."""
    number = 12
    expected = q * np.sqrt(methods * (methods + 1) / (6 * number))
    assert critical_difference(methods, number) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("number", "expected"), [(2, 1 / 6), (3, 1 / 36)])
def test_the_p_value_of_unanimous_data_sets_is_the_chance_of_it(number, expected):
    """Three methods in one order by all: 6 of 6^N orders."""
    found = friedman(np.tile([1.0, 2.0, 3.0], (number, 1)))
    assert found is not None
    assert found.p == pytest.approx(expected, abs=0.015)


def test_with_many_data_sets_the_p_value_is_that_of_chi2():
    scores = np.random.default_rng(1).normal(np.array([0, 0.1, 0.2, 0.4]), size=(40, 4))
    found = friedman(ranks(scores))
    assert found is not None
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue, abs=0.02)


def test_equal_scores_share_their_ranks_and_a_failure_is_last():
    nan = float("nan")
    assert ranks(np.array([[0.5, 0.7, 0.5, nan], [nan, 0.1, nan, 0.2]])).tolist() == [
        [2.5, 1, 2.5, 4],
        [3.5, 2, 3.5, 1],
    ]


def test_friedman_of_equal_and_of_unanimous_ranks():
    equal = friedman(np.full((5, 4), 2.5))
    assert equal is not None
    assert equal == Friedman(0.0, 1.0)
    unanimous = friedman(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert unanimous is not None
    assert unanimous.chi2 == pytest.approx(8)
    assert unanimous.p == pytest.approx(1 / 6**3, abs=2e-3)
    assert friedman(np.array([[1.0, 2.0]] * 5)) is None
    assert friedman(np.array([[1.0, 2.0, 3.0]])) is None


@pytest.mark.parametrize("methods", [2, 3, 5, 10, 35])
def test_with_fewer_data_sets_nothing_can_differ(methods):
    least = least_number(methods)
    assert critical_difference(methods, least) < methods - 1
    assert least == 1 or critical_difference(methods, least - 1) >= methods - 1


def test_groups_are_the_longest_runs():
    assert groups([1.0, 1.5, 2.5, 4.0], 1.0) == [(0, 1), (1, 2)]
    assert groups([1.0, 1.5, 1.9, 4.0], 1.0) == [(0, 2)]
    assert groups([1.0, 3.0], 1.0) == []
    assert groups([1.0, 2.0, 3.0], 5.0) == [(0, 2)]
