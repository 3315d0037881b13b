"""Whose turn it is: schedules written out by hand."""

from __future__ import annotations

import pytest

from cggm_pipeline.errors import BuildError
from cggm_pipeline.schedules.alternating import Alternating
from cggm_pipeline.schedules.everything import Everything
from cggm_pipeline.schedules.thinned import Thinned

NAMES = ("c", "a", "b")


def written(schedule, epoch=0, index=0):
    return ["".join(sorted(turn)) if turn is not None else "all" for turn in schedule.turns(epoch, index)]


def test_everything_is_one_step_of_all():
    assert written(Everything(NAMES)) == ["all"]


def test_per_batch_every_modality_has_a_step_by_name():
    schedule = Alternating(NAMES)
    assert [written(schedule, 0, index) for index in range(3)] == [["a", "b", "c"]] * 3
    assert written(schedule, 7, 2) == ["a", "b", "c"]


def test_rotating_begins_one_later_with_every_batch():
    schedule = Alternating(NAMES, order="rotating")
    found = [written(schedule, 0, index) for index in range(4)]
    assert found == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_per_stage_every_modality_has_epochs_and_all_rectify_after_each():
    schedule = Alternating(NAMES, per="stage", epochs=2, rectify=1)
    found = ["".join(written(schedule, epoch, 5)) for epoch in range(11)]
    assert found == ["a", "a", "all", "b", "b", "all", "c", "c", "all", "a", "a"]


def test_stages_without_rectification_follow_one_another():
    schedule = Alternating(("x", "y"), per="stage", epochs=1, rectify=0)
    assert ["".join(written(schedule, epoch)) for epoch in range(4)] == ["x", "y", "x", "y"]


def test_the_papers_numbers_are_the_defaults():
    """ReconBoost: four epochs of a modality, four of all, then the next."""
    schedule = Alternating(("x", "y"), per="stage")
    found = ["".join(written(schedule, epoch)) for epoch in range(17)]
    assert found == ["x"] * 4 + ["all"] * 4 + ["y"] * 4 + ["all"] * 4 + ["x"]


def test_a_thinned_modality_learns_in_every_nth_batch_of_an_epoch():
    schedule = Thinned(NAMES, modality="b", every=3)
    assert [written(schedule, 1, index)[0] for index in range(7)] == ["all", "ac", "ac", "all", "ac", "ac", "all"]
    assert {written(Thinned(NAMES, modality="b", every=1), 0, index)[0] for index in range(5)} == {"all"}


def test_a_thinned_modality_must_be_there():
    with pytest.raises(BuildError, match=r"no modality 'd' \(allowed: a, b, c\)"):
        Thinned(NAMES, modality="d")
