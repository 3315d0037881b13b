"""Beside the published number: does ours agree with it? (design: a table is a claim.)"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isnan
from typing import Literal

from cggm_pipeline.report.statistics import Summary

State = Literal["reproduced", "within", "not reproduced", "not run", "undecided", "no number", "not real data"]
REPRODUCED = 2.0
"""Our standard deviations between the two numbers up to which a number counts as reproduced (ruling 11)."""
NEAR = 4.0
"""Up to here the verdict names the distance only; beyond it the number is not reproduced."""


@dataclass(frozen=True)
class Published:
    """A paper's number as printed; `scale` times our stored value is in the same unit. None: the paper has none."""

    value: float | None
    source: str
    higher_is_better: bool = True
    scale: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """`state` for programs, `text` for readers, `distance` in our standard deviations (positive: ours is better)."""

    state: State
    text: str
    distance: float = float("nan")


NO_NUMBER = Verdict("no number", "")
NOT_REAL = Verdict("not real data", "no verdict: not the real data")
"""Where any data of a table were made by `cggm twin`: the published number is of other data."""


def judge(ours: Summary | None, published: Published | None, *, real: bool = True) -> Verdict:
    """The verdict on one cell. `real`: whether all data of the table are what they are called."""
    if published is None or published.value is None:
        return NO_NUMBER
    if not real:
        return NOT_REAL
    if ours is None:
        return Verdict("not run", "not run")
    if isnan(ours.sd):
        return Verdict("undecided", "undecided: one seed has no spread")
    gap = (ours.mean * published.scale - published.value) * (1 if published.higher_is_better else -1)
    spread = ours.sd * published.scale
    if spread == 0:
        distance = 0.0 if gap == 0 else float("inf") * gap
    else:
        distance = gap / spread
    return _in_words(distance)


def _in_words(distance: float) -> Verdict:
    size = abs(distance)
    if size <= REPRODUCED:
        return Verdict("reproduced", "reproduced", distance)
    side = "better" if distance > 0 else "worse"
    if size <= NEAR:
        return Verdict("within", f"within {ceil(size)} sd ({side})", distance)
    far = f"{size:.0f} sd {side}" if size < 100 else f"{side} by more than 100 sd"
    return Verdict("not reproduced", f"not reproduced ({far})", distance)
