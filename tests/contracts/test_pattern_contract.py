"""What every missing pattern promises."""

from __future__ import annotations

import numpy as np
import pytest
from contract_members import NAMES, make, spec_of

from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.data.patterns.base import Numbers, Pattern

NUMBER = 400
IDS = [f"s{index}" for index in range(NUMBER)]
every = pytest.mark.parametrize("kind", TABLES["patterns"])


def pattern(kind: str, order: int = 1) -> Pattern:
    made: Pattern = make("patterns", kind, NAMES[::order])
    return made


def gappy(seed: int = 0) -> np.ndarray:
    """Who has what by themselves: a third of everything is missing; some have nothing at all."""
    there = np.random.default_rng(seed).random((NUMBER, len(NAMES))) > 1 / 3
    there[:3] = False
    return there


def drawn(kind: str, there: np.ndarray | None = None, *, order: int = 1, seed: int = 0, epoch: int | None = None):
    whole = np.ones((NUMBER, len(NAMES)), bool) if there is None else there
    return pattern(kind, order).absent(Numbers(IDS, seed, "train", epoch), whole)


@every
def test_it_takes_only_what_is_there_and_never_all_of_it(kind: str) -> None:
    there = gappy()
    absent = drawn(kind, there)
    assert absent.dtype == np.bool_
    assert absent.shape == there.shape
    assert not (absent & ~there).any()
    assert np.array_equal((there & ~absent).any(1), there.any(1))


@every
def test_the_order_of_the_modalities_never_matters(kind: str) -> None:
    assert np.array_equal(drawn(kind), drawn(kind, order=-1))
    assert pattern(kind).modalities == pattern(kind, order=-1).modalities == tuple(sorted(NAMES))


@every
def test_a_sample_has_the_same_gaps_whoever_else_is_there(kind: str) -> None:
    made, there = pattern(kind), gappy()
    some = np.arange(NUMBER)[::-7]
    alone = made.absent(Numbers([IDS[index] for index in some], 0, "train"), there[some])
    assert np.array_equal(alone, drawn(kind, there)[some])


@every
def test_it_draws_anew_in_another_epoch_and_with_another_seed_if_it_draws(kind: str) -> None:
    first, there = drawn(kind), gappy()
    assert np.array_equal(first, drawn(kind))
    assert np.array_equal(drawn(kind, there, epoch=2), drawn(kind, there, epoch=2))
    for other in (drawn(kind, epoch=0), drawn(kind, epoch=1), drawn(kind, seed=1)):
        assert np.array_equal(first, other) != spec_of("patterns", kind).draws()
