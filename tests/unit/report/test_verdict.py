"""The verdict beside a published number."""

from __future__ import annotations

import pytest

from cggm_pipeline.report.statistics import summarise
from cggm_pipeline.report.verdict import Published, judge

OURS = summarise({0: 0.90, 1: 0.91, 2: 0.92})  # 91 ± 1 %


def percent(value: float | None, higher: bool = True) -> Published:
    return Published(value, "Paper, Table 1", higher, 100.0)


@pytest.mark.parametrize(
    ("published", "state", "text"),
    [
        (percent(91.0), "reproduced", "reproduced"),
        (percent(93.0), "reproduced", "reproduced"),
        (percent(93.5), "within", "within 3 sd (worse)"),
        (percent(94.9), "within", "within 4 sd (worse)"),
        (percent(97.0), "not reproduced", "not reproduced (6 sd worse)"),
        (percent(85.0), "not reproduced", "not reproduced (6 sd better)"),
        (percent(85.0, higher=False), "not reproduced", "not reproduced (6 sd worse)"),
        (percent(None), "no number", ""),
        (None, "no number", ""),
    ],
)
def test_verdict(published, state, text):
    found = judge(OURS, published)
    assert (found.state, found.text) == (state, text)


def test_what_was_not_run_says_so():
    assert judge(None, percent(90.0)).text == "not run"


def test_one_seed_decides_nothing():
    assert judge(summarise({0: 0.9}), percent(90.0)).state == "undecided"


def test_no_spread_at_all():
    same = summarise({0: 0.5, 1: 0.5})
    assert judge(same, percent(50.0)).state == "reproduced"
    assert judge(same, percent(51.0)).text == "not reproduced (worse by more than 100 sd)"
