"""Adaptation and adapting predictors in specs: what must fit what, and where the final weights lie."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cggm_pipeline.pipeline.sections import evaluate_sections, train_sections
from cggm_pipeline.spec.adaptation import FINAL, FOLDERS, NoAdaptation, OfflineCASP
from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.predictors import CASP
from cggm_pipeline.spec.sections import Sections


def experiment(number: int = 2, **changes: Any) -> Experiment:
    encoder = {"kind": "mlp", "hidden": [6], "batch_norm": True}
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": encoder} for name in "abc"[:number]},
        "fusion": {"kind": "concat"},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def found(number: int = 2, **changes: Any) -> list[tuple[str, str, str]]:
    """Key, message and what is allowed or advised, of every finding."""
    sections = Sections.of(experiment(number, **changes))
    return [(".".join(map(str, f.path)), f.message, f"{f.allowed} {f.hint}") for f in check_network(sections)]


@pytest.mark.parametrize("kind", ["norm_statistics", "tent", "casp"])
def test_predictors_that_adapt_fit(kind: str) -> None:
    assert found(prediction={"kind": kind}) == []
    assert found(adaptation={"kind": "casp"}, prediction={"kind": kind}) == []


def test_entropy_needs_classes() -> None:
    ((key, message, allowed),) = found(prediction={"kind": "tent"}, task={"kind": "sentiment"})
    assert (key, message) == ("prediction.kind", "tent is not defined for sentiment")
    assert "classification, segmentation" in allowed


@pytest.mark.parametrize("section", ["prediction", "adaptation"])
def test_contrast_needs_two_modalities(section: str) -> None:
    ((key, message, hint),) = found(1, **{section: {"kind": "casp"}})
    assert (key, message) == (f"{section}.kind", "casp needs 2 modalities, and one is in use")
    assert {"prediction": "use kind: plain", "adaptation": "use kind: none"}[section] in hint


@pytest.mark.parametrize("section", ["prediction", "adaptation"])
def test_what_is_dropped_is_a_modality_in_use(section: str) -> None:
    spec = {"kind": "casp", "drop": {"a": 1.0, "c": 2.0}}
    assert found(3, **{section: spec}) == []
    ((key, message, _),) = found(3, use=["a", "b"], **{section: spec})
    assert (key, message) == (f"{section}.drop.c", "there is no modality 'c' in use")


def test_a_trajectory_has_two_predictions_at_least() -> None:
    ((key, message, allowed),) = found(adaptation={"kind": "casp", "epochs": 2})
    assert key == "adaptation.every"
    assert message == "a prediction every 3 epochs, but adaptation has 2: nothing is compared"
    assert "1 to 2" in allowed
    assert found(adaptation={"kind": "casp", "epochs": 3}) == []


def test_the_final_weights_lie_where_the_last_stage_puts_them() -> None:
    assert experiment().adaptation == NoAdaptation()
    assert (NoAdaptation().final, dict(NoAdaptation().stages)) == ("train", {})
    spec = experiment(adaptation={"kind": "casp"}).adaptation
    assert spec.final == list(spec.stages.values())[-1] == "adapted"
    assert FINAL == ("adapted", "train")
    assert FOLDERS == ("contrast", "adapted")


def test_training_does_not_depend_on_what_comes_after_it() -> None:
    assert "adaptation" not in train_sections(experiment())
    assert "adaptation" in evaluate_sections(experiment())


def test_defaults_are_the_released_settings_but_for_the_order_and_the_selection() -> None:
    spec = OfflineCASP(kind="casp")
    assert (spec.epochs, spec.every, spec.pseudo_epochs, spec.batch_size) == (15, 3, 5, 24)
    assert (spec.temperature, spec.lr, spec.clip, spec.quantile) == (0.5, 1e-3, 0.8, 0.95)
    assert spec.shuffle
    assert spec.form == "paper"
    shared = set(spec.arguments()) & set(CASP(kind="casp").arguments())
    assert shared == {"temperature", "lr", "clip", "quantile", "form", "drop", "batch_size"}
    assert all(getattr(spec, name) == getattr(CASP(kind="casp"), name) for name in shared)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prediction": {"kind": "tent", "lr": 0}},
        {"prediction": {"kind": "tent", "mode": "offline"}},
        {"prediction": {"kind": "norm_statistics", "prior": -1}},
        {"prediction": {"kind": "casp", "quantile": 1.0}},
        {"prediction": {"kind": "casp", "drop": {}}},
        {"prediction": {"kind": "casp", "drop": {"a": 0}}},
        {"prediction": {"kind": "casp", "steps": 0}},
        {"adaptation": {"kind": "casp", "split": "valid"}},
        {"adaptation": {"kind": "casp", "epochs": 0}},
        {"adaptation": {"kind": "casp", "form": "both"}},
        {"adaptation": {"kind": "none", "epochs": 1}},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        experiment(**wrong)
