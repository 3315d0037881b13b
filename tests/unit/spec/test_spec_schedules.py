"""Schedules, their methods and predictors in specs: what must fit what."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cggm_pipeline.pipeline.sections import evaluate_sections, train_sections
from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.sections import Sections


def experiment(number: int = 2, **changes: Any) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": {"kind": "mlp", "hidden": [6]}} for name in "abcdefghijkl"[:number]},
        "fusion": {"kind": "concat"},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def found(number: int = 2, **changes: Any) -> list[tuple[str, str, str]]:
    """Key, message and what is allowed or advised, of every finding."""
    sections = Sections.of(experiment(number, **changes))
    return [(".".join(map(str, f.path)), f.message, f"{f.allowed} {f.hint}") for f in check_network(sections)]


def test_the_papers_settings_fit() -> None:
    batch, stage = {"kind": "alternating"}, {"kind": "alternating", "per": "stage"}
    weighted = {"kind": "entropy_weighted"}
    assert found(3, fusion={"kind": "mean"}, modulation={"kind": "mla"}, schedule=batch, prediction=weighted) == []
    assert found(3, modulation={"kind": "recon_boost"}, schedule=stage) == []
    assert found(2, fusion={"kind": "mmtm"}, modulation={"kind": "greedy"}) == []
    assert found(3, schedule={"kind": "smv"}) == []
    assert found(3, schedule={"kind": "thinned", "modality": "b"}) == []


@pytest.mark.parametrize("kind", ["mla", "recon_boost"])
def test_methods_of_turns_need_turns(kind: str) -> None:
    fusion = {"kind": "mean"} if kind == "mla" else {"kind": "concat"}
    ((key, message, hint),) = found(fusion=fusion, modulation={"kind": kind})
    assert key == "modulation.kind"
    assert message == f"{kind} needs schedule: {{kind: alternating}}; found everything"
    assert "set it" in hint


def test_methods_name_the_fusions_they_work_with() -> None:
    turns = {"kind": "alternating"}
    assert found(modulation={"kind": "mla"}, schedule=turns)[0][1:] == (
        "mla does not work with the fusion concat",
        "mean ",
    )
    assert found(modulation={"kind": "greedy"})[0][1:] == ("greedy does not work with the fusion concat", "mmtm ")
    projected = {"kind": "concat", "width": 8}
    ((_, message, _),) = found(fusion=projected, modulation={"kind": "recon_boost"}, schedule=turns)
    assert message.startswith("recon_boost reads the head's block of each modality")


def test_greedy_balances_two() -> None:
    ((key, message, _),) = found(3, fusion={"kind": "mmtm"}, modulation={"kind": "greedy"})
    assert (key, message) == ("modulation.kind", "greedy balances at most 2 modalities, 3 are in use")


def test_the_mean_needs_one_width() -> None:
    widths = {"a": 6, "b": 8}
    modalities = {name: {"encoder": {"kind": "mlp", "hidden": [width]}} for name, width in widths.items()}
    assert found(modalities=modalities, fusion={"kind": "mean"}) == [
        ("fusion.kind", "mean needs features of one width: a 6, b 8", " ")
    ]


@pytest.mark.parametrize("schedule", [{"kind": "alternating"}, {"kind": "smv"}, {"kind": "thinned", "modality": "a"}])
def test_schedules_that_choose_between_modalities_need_two(schedule: dict[str, Any]) -> None:
    ((key, message, hint),) = found(1, schedule=schedule)
    assert (key, message) == ("schedule.kind", f"{schedule['kind']} needs 2 modalities, one is in use")
    assert "everything" in hint


def test_valuation_is_for_classes_and_ten_modalities() -> None:
    ((key, message, allowed),) = found(schedule={"kind": "smv"}, task={"kind": "sentiment"})
    assert (key, message) == ("schedule.kind", "smv is not defined for sentiment")
    assert "classification" in allowed
    ((_, message, _),) = found(11, schedule={"kind": "smv"})
    assert message == "smv takes at most 10 modalities, 11 are in use"


def test_a_thinned_modality_is_one_in_use() -> None:
    schedule = {"kind": "thinned", "modality": "b"}
    ((key, message, _),) = found(3, schedule=schedule, use=["a", "c"])
    assert (key, message) == ("schedule.modality", "there is no modality 'b' in use")


@pytest.mark.parametrize(
    ("schedule", "name", "message"),
    [
        ({"kind": "alternating", "epochs": 8}, "epochs", "epochs is read with per: stage alone"),
        ({"kind": "alternating", "rectify": 0}, "rectify", "rectify is read with per: stage alone"),
        ({"kind": "alternating", "per": "stage", "order": "rotating"}, "order", "order is read with per: batch alone"),
        ({"kind": "smv", "share": 0.5}, "share", "share is read with level: modality alone"),
        ({"kind": "smv", "alpha": 2.0}, "alpha", "alpha is read with level: modality alone"),
    ],
)
def test_what_would_be_ignored_is_refused(schedule: dict[str, Any], name: str, message: str) -> None:
    assert found(schedule=schedule) == [(f"schedule.{name}", message, " remove it")]


def test_certainty_needs_classes() -> None:
    ((key, message, allowed),) = found(prediction={"kind": "entropy_weighted"}, task={"kind": "regression"})
    assert (key, message) == ("prediction.kind", "entropy_weighted is not defined for regression")
    assert "classification, segmentation" in allowed


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": {"kind": "alternating", "epochs": 0}},
        {"schedule": {"kind": "smv", "share": 1.0}},
        {"schedule": {"kind": "smv", "alpha": 0}},
        {"schedule": {"kind": "thinned"}},
        {"schedule": {"kind": "thinned", "modality": "a", "every": 0}},
        {"prediction": {"kind": "plainly"}},
        {"modulation": {"kind": "mla", "alpha": 0}},
        {"fusion": {"kind": "mmtm", "ratio": 0}},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        experiment(**wrong)


def test_training_and_evaluation_track_how_the_network_is_asked() -> None:
    assert "prediction" in train_sections(experiment())
    assert "prediction" in evaluate_sections(experiment())
    assert "schedule" in train_sections(experiment())
