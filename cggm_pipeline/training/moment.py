"""What a training tells whoever watches it: a callable takes a `Moment` now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cggm_pipeline.evaluation.diagnosis import Warned


@dataclass(frozen=True)
class Moment:
    """Where the training of one seed stands. `row`: the last finished epoch's history. `note`: something to tell.

    `warned`: what the history has begun to say about balance.
    """

    seed: int
    epoch: int
    epochs: int
    share: float
    row: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    warned: Warned | None = None


Progress = Callable[[Moment], None]


def silent(moment: Moment) -> None:
    """Tells nobody."""
