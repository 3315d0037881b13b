"""Intervals: closed forms where one exists, coverage of the truth where none does."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cggm_pipeline.errors import DataError
from cggm_pipeline.report.statistics import crossed_difference, holm, summarise, t_difference


def test_summary_is_mean_and_sample_standard_deviation():
    found = summarise({2: 3.0, 0: 1.0, 1: 2.0})
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    assert list(found.values) == [0, 1, 2]


def test_one_seed_has_no_spread():
    assert math.isnan(summarise({4: 0.5}).sd)


def test_nothing_cannot_be_summarised():
    with pytest.raises(ValueError, match="no seed"):
        summarise({})


def test_t_interval_is_that_of_scipy_over_common_seeds():
    ours, baseline = {0: 0.9, 1: 0.93, 2: 0.91, 7: 0.1}, {0: 0.88, 1: 0.9, 2: 0.92, 9: 0.2}
    found = t_difference(ours, baseline)
    expected = stats.ttest_rel([0.9, 0.93, 0.91], [0.88, 0.9, 0.92]).confidence_interval(0.95)
    assert found.n == 3
    assert found.covers == "seeds"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_common_seed_gives_a_difference_without_an_interval():
    found = t_difference({0: 0.9}, {0: 0.8})
    assert found.mean == pytest.approx(0.1)
    assert math.isnan(found.low)
    assert not found.decided
    assert found.covers == "none"


def test_no_common_seed_is_refused():
    with pytest.raises(ValueError, match="no seed in common"):
        t_difference({0: 1.0}, {1: 1.0})


def test_without_variation_of_samples_it_is_the_t_interval():
    """Every sample of a seed has the same difference, so only seeds vary and Student's interval is exact."""
    values = [0.01, 0.03, 0.05, 0.02, 0.04]
    found = crossed_difference([np.full(50, v) for v in values], [np.zeros(50)] * 5, resamples=200_000)
    half = stats.t.ppf(0.975, 4) * np.std(values, ddof=1) / math.sqrt(5)
    assert found.mean == pytest.approx(0.03)
    assert (found.low, found.high) == pytest.approx((0.03 - half, 0.03 + half), abs=half * 0.02)


def test_without_variation_of_seeds_it_is_the_bootstrap_over_samples():
    """Every seed has the same differences: more seeds add nothing, the interval is that of the sample mean."""
    sample = np.random.default_rng(3).normal(0.2, 1.0, 400)
    found = crossed_difference([sample] * 5, [np.zeros(400)] * 5, resamples=20_000)
    half = 1.96 * sample.std(ddof=1) / math.sqrt(400)
    assert found.covers == "seeds and samples"
    assert (found.low, found.high) == pytest.approx((sample.mean() - half, sample.mean() + half), abs=half * 0.05)


def test_one_seed_covers_samples_alone():
    sample = np.random.default_rng(3).normal(0.2, 1.0, 400)
    found = crossed_difference([sample], [np.zeros(400)])
    assert found.covers == "samples"
    assert found.low < sample.mean() < found.high


def test_equal_rows_differ_by_exactly_nothing():
    same = [np.array([1.0, 0.0, 1.0])] * 3
    found = crossed_difference(same, same)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert not found.decided


def test_swapping_the_sides_mirrors_the_mean_and_the_same_call_gives_the_same_bits():
    generator = np.random.default_rng(0)
    ours, base = [list(generator.normal(size=(4, 60))) for _ in range(2)]
    one, again, mirrored = (
        crossed_difference(ours, base),
        crossed_difference(ours, base),
        crossed_difference(base, ours),
    )
    assert one == again
    assert mirrored.mean == pytest.approx(-one.mean)


def test_a_single_sample_leaves_the_seeds():
    found = crossed_difference([np.array([1.0]), np.array([0.5])], [np.array([0.0]), np.array([0.0])])
    assert found.covers == "seeds"
    assert found.mean == pytest.approx(0.75)


@pytest.mark.parametrize("base", [[np.zeros(5)], [np.zeros(5), np.zeros(4)], []])
def test_shapes_that_do_not_pair_are_refused(base):
    with pytest.raises(DataError, match="same seeds and the same number of test samples"):
        crossed_difference([np.zeros(5), np.zeros(5)], base)


@pytest.mark.parametrize(("seed_spread", "sample_spread"), [(0.02, 0.6), (0.25, 0.0), (0.2, 0.6)])
def test_intervals_cover_the_truth_as_often_as_they_say(seed_spread, sample_spread):
    """Two equally good methods, right or wrong per sample; samples are hard in all seeds. 95 % of intervals hold 0.

    A bootstrap that draws samples anew inside each seed covers 85 to 90 % here (docs/report.md).
    """
    generator = np.random.default_rng(11)
    repeats, seeds, samples, held = 300, 5, 120, 0
    for _ in range(repeats):
        hard, own = generator.normal(1.5, 1, samples), generator.normal(0, sample_spread, samples)
        sides = [
            hard
            + sign * own
            + generator.normal(0, seed_spread, (seeds, 1))
            + generator.normal(0, 0.5, (seeds, samples))
            for sign in (1, -1)
        ]
        ours, base = ([row.astype(float) for row in side > 0] for side in sides)
        found = crossed_difference(ours, base, resamples=400)
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / repeats <= 0.985


def test_the_p_value_of_a_difference_over_seeds_is_that_of_the_paired_t_test():
    ours, baseline = {0: 0.9, 1: 0.93, 2: 0.91}, {0: 0.88, 1: 0.9, 2: 0.92}
    expected = stats.ttest_rel(list(ours.values()), list(baseline.values())).pvalue
    assert t_difference(ours, baseline).p == pytest.approx(expected)
    assert t_difference(baseline, ours).p == pytest.approx(expected)
    assert math.isnan(t_difference({0: 0.9}, {0: 0.8}).p)
    assert t_difference({0: 0.5, 1: 0.75}, {0: 0.25, 1: 0.5}).p == 0
    assert t_difference({0: 0.5, 1: 0.75}, {0: 0.5, 1: 0.75}).p == 1


def test_the_p_value_over_seeds_and_samples_agrees_with_the_interval():
    generator = np.random.default_rng(3)
    both = 0
    for shift in np.linspace(-0.12, 0.12, 40):
        ours = [generator.normal(shift, 0.4, 200) + generator.normal(0, 0.03) for _ in range(5)]
        found = crossed_difference(ours, [np.zeros(200)] * 5)
        if abs(found.p - 0.05) > 0.02:  # nearer, the interval's own draws decide
            assert found.decided == (found.p < 0.05)
            both += 1
    assert both > 20


def test_samples_that_are_all_the_same_give_the_p_value_of_the_t_test():
    by_seed = [0.1, 0.3, 0.25, -0.05]
    found = crossed_difference([np.full(50, value) for value in by_seed], [np.zeros(50)] * 4)
    assert found.p == pytest.approx(stats.ttest_1samp(by_seed, 0).pvalue)


def test_one_seed_has_a_p_value_over_samples_that_is_never_zero():
    found = crossed_difference([np.ones(100)], [np.zeros(100)])
    assert found.p == pytest.approx(2 / 2001)


def test_holm_by_hand():
    """p = 0.01, 0.04, 0.03 of three: 3 * 0.01, then 2 * 0.03, then at least that."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    found = holm([0.02, math.nan, 0.01])
    assert [found[0], found[2]] == pytest.approx([0.02, 0.02])
    assert math.isnan(found[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_p_value_and_bonferronis_and_keeps_their_order(p):
    adjusted = holm(p)
    assert all(one <= two <= min(1, len(p) * one) + 1e-12 for one, two in zip(p, adjusted, strict=True))
    order = sorted(range(len(p)), key=lambda place: p[place])
    assert all(adjusted[a] <= adjusted[b] for a, b in itertools.pairwise(order))
