"""Missing patterns: their closed forms, what their random numbers depend on, and what no pattern ever takes."""

from __future__ import annotations

import time
from collections import Counter
from hashlib import sha256
from itertools import combinations

import numpy as np
import pytest

from cggm_pipeline.data.patterns.base import Numbers
from cggm_pipeline.data.patterns.fixed import Fixed
from cggm_pipeline.data.patterns.incomplete import Incomplete
from cggm_pipeline.data.patterns.natural import Natural
from cggm_pipeline.data.patterns.rate import Rate
from cggm_pipeline.errors import BuildError

NAMES = ("audio", "text", "vision")
MANY = 20_000
IDS = [f"clip_{index:05d}[{index % 7}]" for index in range(MANY)]
WHOLE = np.ones((MANY, len(NAMES)), bool)


def numbers(count: int = MANY, seed: int = 0, split: str = "test", epoch: int | None = None) -> Numbers:
    return Numbers(IDS[:count], seed, split, epoch)


def sets(absent: np.ndarray) -> list[str]:
    """What each sample keeps, as the first letters."""
    return ["".join(name[0] for name, gone in zip(NAMES, row, strict=True) if not gone) for row in absent]


def near(count: int, number: int, share: float) -> bool:
    """Within four and a half standard deviations of a binomial count: 1 in 100,000 for a right one."""
    return abs(count - number * share) <= 4.5 * (number * share * (1 - share)) ** 0.5


# Numbers


def test_a_number_is_eight_bytes_of_the_hash_of_what_it_is_for() -> None:
    for epoch, text in ((None, ""), (3, "3")):
        found = Numbers(["a/b", "ünï"], 7, "train", epoch)("text")
        for row, key in zip(found, ["a/b", "ünï"], strict=True):
            digest = sha256(f"7/train/{text}/text/{key}".encode()).digest()
            words = [int.from_bytes(digest[start : start + 8], "big") for start in (0, 8, 16, 24)]
            assert row.tolist() == [(word >> 11) / 2**53 for word in words]


def test_some_are_pinned() -> None:
    found = Numbers(["s0", "clip/7[3]", "ünï"], 3, "test")("audio")
    assert found[:, 0].tolist() == [0.5452169517284476, 0.5338821682871744, 0.6462220973643914]
    assert found[0].tolist()[1:] == [0.4608326746884942, 0.7100678081999178, 0.41520492502455897]
    assert Numbers(["s0"], 3, "train", 5)("audio")[0, 0] == 0.731178764463356


def test_they_depend_on_nothing_but_seed_split_epoch_label_and_id() -> None:
    whole = numbers()("audio")
    assert np.array_equal(Numbers(IDS[::-3], 0, "test")("audio"), whole[::-3])
    others = [numbers(seed=1), numbers(split="valid"), numbers(epoch=0), numbers(epoch=1)]
    assert all(not (other("audio") == whole).any() for other in others)
    assert not (numbers()("text") == whole).any()


def test_they_are_uniform_and_independent() -> None:
    columns = np.concatenate([numbers()("audio"), numbers()("text"), numbers(epoch=1)("audio")], 1)
    assert columns.min() >= 0
    assert columns.max() < 1
    assert np.abs(columns.mean(0) - 0.5).max() < 4.5 / (12 * MANY) ** 0.5
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 5 / MANY**0.5


def test_no_samples_have_no_numbers() -> None:
    assert Numbers([], 0, "test")("audio").shape == (0, 4)
    assert Rate(NAMES, rate=0.5).absent(Numbers([], 0, "test"), np.ones((0, 3), bool)).shape == (0, 3)


# Closed forms


def test_pinned_draws_of_every_kind() -> None:
    ids, there = [f"s{k}" for k in range(12)], np.ones((12, 3), bool)
    test, train = Numbers(ids, 0, "test"), Numbers(ids, 0, "train", 4)
    kept = [["audio"], ["text", "vision"]]
    for pattern, drawn, expected in [
        (Rate(NAMES, rate=0.5), test, "at tv v a t at a v t atv t atv"),
        (Rate(NAMES, rate={"text": 0.9, "audio": 0.2}), test, "av av av av atv av av av av av av atv"),
        (Incomplete(NAMES, share=0.7), test, "atv a v av t av tv at atv at atv t"),
        (Fixed(NAMES, kept=kept, shares=[0.25, 0.75]), test, "tv a tv tv a a tv tv tv a tv tv"),
        (Rate(NAMES, rate=0.5), train, "v t at t tv t atv a av at v t"),
    ]:
        assert sets(pattern.absent(drawn, there)) == expected.split()


def test_natural_takes_nothing() -> None:
    assert not Natural(NAMES).absent(numbers(), WHOLE).any()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_rate_takes_its_share_of_each_modality_and_all_but_one_where_all_would_go(rate: float) -> None:
    """All three are drawn with rate^3, and then one of them, each equally often, stays."""
    absent = Rate(NAMES, rate=rate).absent(numbers(), WHOLE)
    for column in absent.T:
        assert near(int(column.sum()), MANY, rate - rate**3 / 3)
    counts = Counter(absent.sum(1).tolist())
    assert near(counts[0], MANY, (1 - rate) ** 3)
    assert near(counts[2], MANY, 3 * rate**2 * (1 - rate) + rate**3)
    assert counts[3] == 0


def test_rates_by_modality_and_none_for_those_that_are_not_named() -> None:
    absent = Rate(NAMES, rate={"vision": 0.7, "audio": 0.2}).absent(numbers(), WHOLE)
    assert not absent[:, 1].any()
    assert near(int(absent[:, 0].sum()), MANY, 0.2)
    assert near(int(absent[:, 2].sum()), MANY, 0.7)
    assert near(int((absent[:, 0] & absent[:, 2]).sum()), MANY, 0.14)  # independent


def test_a_rate_of_0_takes_nothing() -> None:
    assert not Rate(NAMES, rate=0.0).absent(numbers(), WHOLE).any()


def test_what_is_gone_at_one_rate_is_gone_at_every_higher_one() -> None:
    before = Rate(NAMES, rate=0.0).absent(numbers(), WHOLE)
    for rate in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        after = Rate(NAMES, rate=rate).absent(numbers(), WHOLE)
        assert not (before & ~after).any()
        assert after.sum() > before.sum()
        before = after


def test_the_last_to_go_stays() -> None:
    absent = Rate(NAMES, rate=0.95).absent(numbers(), WHOLE)
    drawn = np.stack([numbers()(name)[:, 0] for name in NAMES], 1)
    alone = (drawn < 0.95).all(1)
    assert alone.sum() > 15_000
    assert (drawn[alone].argmax(1) == (~absent[alone]).argmax(1)).all()


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_a_share_is_incomplete_and_each_proper_subset_equally_likely(share: float) -> None:
    counts = Counter(sets(Incomplete(NAMES, share=share).absent(numbers(), WHOLE)))
    proper = ["".join(kept) for size in (1, 2) for kept in combinations("atv", size)]
    assert set(counts) <= {*proper, "atv"}
    assert near(counts["atv"], MANY, 1 - share)
    assert all(near(counts[kept], MANY, share / 6) for kept in proper)


def test_an_incomplete_sample_is_incomplete_in_the_same_way_at_every_higher_share() -> None:
    less, more = (Incomplete(NAMES, share=share).absent(numbers(), WHOLE) for share in (0.3, 0.6))
    some = less.any(1)
    assert np.array_equal(less[some], more[some])
    assert more.any(1).sum() > some.sum()


def test_two_modalities_are_each_alone_equally_often() -> None:
    absent = Incomplete(["b", "a"], share=1.0).absent(numbers(), WHOLE[:, :2])
    assert (absent.sum(1) == 1).all()
    assert near(int(absent[:, 0].sum()), MANY, 0.5)


def test_one_subset_is_what_every_sample_keeps() -> None:
    absent = Fixed(NAMES, kept=[["vision", "audio"]]).absent(numbers(5), WHOLE[:5])
    assert sets(absent) == ["av"] * 5


@pytest.mark.parametrize(("shares", "expected"), [(None, (1 / 3, 1 / 3, 1 / 3)), ((0.2, 0.5, 0.3), (0.2, 0.5, 0.3))])
def test_subsets_have_their_shares(shares: tuple[float, ...] | None, expected: tuple[float, ...]) -> None:
    pattern = Fixed(NAMES, kept=[["audio"], ["text", "vision"], list(NAMES)], shares=shares)
    counts = Counter(sets(pattern.absent(numbers(), WHOLE)))
    assert set(counts) == {"a", "tv", "atv"}
    assert all(near(counts[kept], MANY, share) for kept, share in zip(("a", "tv", "atv"), expected, strict=True))


def test_a_subset_of_unknown_modalities_is_refused() -> None:
    with pytest.raises(BuildError, match=r"kept: there is no modality 'smell' \(allowed: audio, text, vision\)"):
        Fixed(NAMES, kept=[["smell"]])


# Gaps that the data have by themselves


def test_a_rate_keeps_the_last_of_those_that_are_there() -> None:
    there = WHOLE.copy()
    there[:, 1] = False  # nobody has text
    absent = Rate(NAMES, rate=0.9).absent(numbers(), there)
    assert not absent[:, 1].any()  # it is not taken: it was not there
    assert (there & ~absent).any(1).all()
    assert near(int((there & ~absent).sum(1).tolist().count(1)), MANY, 1 - 0.1**2)


def test_what_meets_nothing_that_is_there_takes_nothing() -> None:
    there = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    absent = Fixed(NAMES, kept=[["audio"]]).absent(numbers(5), there)
    kept = there & ~absent
    assert kept.tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]]


# Cost


@pytest.mark.parametrize("pattern", [Rate(NAMES, rate=0.3), Incomplete(NAMES, share=0.7)])
def test_a_draw_for_twenty_thousand_samples_is_quick(pattern: Rate | Incomplete) -> None:
    """About 0.03 s on one core; the limit is what a loaded machine needs at its best of several."""
    times = []
    for epoch in range(5):
        started = time.perf_counter()
        pattern.absent(numbers(epoch=epoch), WHOLE)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.2
