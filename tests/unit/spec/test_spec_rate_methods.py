"""Methods of rates and prototypes in specs: names, tasks, and what is run where the parameters switch a method off."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.modulations import MILES, MSLR, PMR, ModulationSpec, NoModulation, Relearning, UnimodalLosses
from cggm_pipeline.spec.sections import Sections


def experiment(modulation: dict[str, Any], **changes: Any) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": {"kind": "mlp", "hidden": [6]}} for name in ("audio", "text", "vision")},
        "fusion": {"kind": "concat"},
        "task": {"kind": "classification"},
        "modulation": modulation,
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def found(modulation: dict[str, Any], **changes: Any) -> list[tuple[str, str, str]]:
    sections = Sections.of(experiment(modulation, **changes))
    return [(".".join(map(str, f.path)), f.message, f"{f.allowed} {f.hint}") for f in check_network(sections)]


@pytest.mark.parametrize("form", ["keep", "smooth", "dynamic"])
def test_rates_are_of_modalities_in_use(form: str) -> None:
    assert found({"kind": "mslr", "form": form, "rates": {"audio": 0.5, "text": 1.0}}) == []
    ((key, message, told),) = found({"kind": "mslr", "form": form, "rates": {"visoin": 1.0}})
    assert (key, message) == ("modulation.rates.visoin", "there is no modality 'visoin' in use")
    assert "vision" in told
    ((key, *_),) = found({"kind": "mslr", "form": form, "rates": {"text": 2.0}}, use=["audio", "vision"])
    assert key == "modulation.rates.text"


@pytest.mark.parametrize("kind", ["pmr", "relearning"])
@pytest.mark.parametrize("task", ["regression", "sentiment"])
def test_what_needs_classes_says_so(kind: str, task: str) -> None:
    ((key, message, told),) = found({"kind": kind}, task={"kind": task})
    assert (key, message) == ("modulation.kind", f"{kind} is not defined for {task}")
    assert "classification" in told


@pytest.mark.parametrize(
    ("spec", "run"),
    [
        (MSLR(kind="mslr", form="keep"), NoModulation),
        (MSLR(kind="mslr", form="smooth", rates={"a": 1.0}), NoModulation),
        (MSLR(kind="mslr", form="keep", rates={"a": 1.0, "b": 2.0}), MSLR),
        (MSLR(kind="mslr"), MSLR),
        (MILES(kind="miles", mu=1.0), UnimodalLosses),
        (MILES(kind="miles"), MILES),
        (Relearning(kind="relearning", lam=0.0), NoModulation),
        (Relearning(kind="relearning", times=0), NoModulation),
        (Relearning(kind="relearning"), Relearning),
        (PMR(kind="pmr", alpha=0.0, mu=0.0), NoModulation),
        (PMR(kind="pmr", alpha=0.0, entropy_epochs=0), NoModulation),
        (PMR(kind="pmr", alpha=0.0, form="released"), NoModulation),
        (PMR(kind="pmr", alpha=0.0), PMR),
        (PMR(kind="pmr", form="released"), PMR),
    ],
    ids=str,
)
def test_a_method_that_is_off_is_not_run(spec: ModulationSpec, run: type[ModulationSpec]) -> None:
    assert type(spec.effective()) is run


def test_the_losses_keep_their_weight_where_no_rate_changes() -> None:
    assert MILES(kind="miles", mu=1.0, weight=0.25).effective() == UnimodalLosses(kind="unimodal_losses", weight=0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "mslr", "rates": {"audio": 0.0}},
        {"kind": "mslr", "smoothing": 1.5},
        {"kind": "mses", "patience": 0},
        {"kind": "mses", "smoothing": 1.0},
        {"kind": "miles", "mu": 0.0},
        {"kind": "relearning", "every": 0},
        {"kind": "pmr", "share": 0.0},
        {"kind": "pmr", "momentum": 1.0},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        experiment(wrong)
