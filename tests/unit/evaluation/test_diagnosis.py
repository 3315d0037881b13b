"""What fires, and what must not."""

from __future__ import annotations

import pytest

from cggm_pipeline.evaluation.diagnosis import LONG, columns, diagnose

JOINT = [0.1 * epoch for epoch in range(10)]


def fired(history, mode="max"):
    return {(one.rule, one.modality) for one in diagnose(history, metric="accuracy", mode=mode)}


def test_a_quiet_history_says_nothing():
    alone = {"alone_a": [0.05 * epoch for epoch in range(10)], "alone_b": [0.04 * epoch for epoch in range(10)]}
    factors = {"factor_a": [0.5] * 10, "factor_b": [1.0] * 10, "B_negative": [0.1] * 10, "grad_norm_a": [0.0] * 10}
    assert fired({"valid_accuracy": JOINT, **alone, **factors}) == set()
    assert fired({}) == set()


@pytest.mark.parametrize(
    ("column", "values", "key"),
    [
        ("B_negative", [0.3] * LONG, ("negative", None)),
        ("B_audio", [-0.5] * LONG, ("negative", "audio")),
        ("factor_audio", [0.0] * LONG, ("saturated", "audio")),
        ("rate_audio", [1e5] * LONG, ("saturated", "audio")),
        ("weight_audio", [0.01] * LONG, ("saturated", "audio")),
    ],
)
def test_a_coefficient_at_its_end_for_long(column, values, key):
    assert fired({column: values}) == {key}
    assert fired({column: values[1:]}) == set()
    assert fired({column: [*values, 0.5 if column != "B_negative" else 0.0]}) == set()


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_network_that_is_worse_than_itself_with_one_modality(mode):
    sign = 1 if mode == "max" else -1
    history = {
        "valid_accuracy": [sign * 0.5] * LONG,
        "alone_a": [sign * 0.6] * LONG,
        "alone_b": [sign * 0.2] * LONG,
    }
    assert fired(history, mode) == {("below best modality", "a")}
    history["alone_a"] = [*[sign * 0.6] * (LONG - 1), sign * 0.4]
    assert fired(history, mode) == set()


def test_a_modality_that_stopped_while_the_network_went_on():
    stuck = [0.1, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
    history = {"valid_accuracy": JOINT, "alone_a": stuck, "alone_b": [0.05 * epoch for epoch in range(10)]}
    (found,) = diagnose(history, metric="accuracy", mode="max")
    assert (found.rule, found.modality, found.epoch) == ("stopped", "a", 1)
    assert "unimodal_losses" in found.advice
    assert fired({**history, "valid_accuracy": [0.9] * 10}) == set(), "the network did not go on either"


def test_columns_of_rows():
    assert columns([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": [1.0, 3.0]}
    assert columns([]) == {}
