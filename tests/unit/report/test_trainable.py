"""How many of a network's parameters learned: read from a seed's summary, and said beside their number."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from cggm_pipeline.report.costs import Cost, size_of
from cggm_pipeline.report.texts import parameters
from cggm_pipeline.training.outputs import module_parameters

SIZES = {"encoders.audio": 9000, "fusion": 900, "head": 100}


def told(**summary: Any) -> str:
    return parameters(size_of({"parameters": SIZES, **summary}))


@pytest.mark.parametrize(
    ("trainable", "text"),
    [
        (10_000, "10,000"),
        (None, "10,000"),
        (320, "10,000, 3.2 % trained"),
        (9_999, "10,000, 99.9 % trained"),
        (100, "10,000, 1.0 % trained"),
        (3, "10,000, 0.03 % trained"),
    ],
)
def test_the_share_is_said_where_some_are_frozen(trainable: int | None, text: str) -> None:
    assert told(trainable=trainable) == text


def test_classifiers_stand_behind_it() -> None:
    assert told(trainable=320, classifier_parameters=67) == "10,000, 3.2 % trained + 67"
    assert told(trainable=10_000, classifier_parameters=67) == "10,000 + 67"


def test_summaries_from_before_there_were_adapters_say_nothing_of_it() -> None:
    assert told() == "10,000"
    assert size_of({}) == Cost()
    assert parameters(size_of({})) == "–"


def test_what_learns_is_counted() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    assert (module_parameters(module), module_parameters(module, trainable=True)) == (26, 10)
