"""Fills, adapters, predictors and balancing methods know nothing of one another: every pair of them makes a step.

One epoch of one batch through `fit`, with samples that lack a modality, on a network that has what its members ask for;
then predictions of the trained network. The third and fourth room stay at their defaults.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import pytest
import torch
from contract_data import CLASSES, SHAPES, Toy
from contract_modulations import ENCODERS, FUSIONS, Form, forms, fusions, least
from contract_training import TARGETS, options
from torch import Tensor

from cggm_pipeline.build import Built, build_network
from cggm_pipeline.build.modulation import build_schedule
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.data.input import Input
from cggm_pipeline.evaluation.predictors.plain import predict
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.training.fit import fit

SECTIONS = {"fills": "fill", "adapters": "adapter", "predictors": "prediction", "modulations": "modulation"}
"""A room, and the section of an experiment that its members stand in."""
OPTIONS: dict[tuple[str, str], Form] = {
    ("adapters", "frozen"): {"train": ["head.*", "encoders.*"]},
    ("adapters", "wander"): {"rank": 2, "drank": 2, "trank": 2},
    ("adapters", "bottleneck"): {"where": "last", "width": 3},
    ("adapters", "lora"): {"rank": 2},
    ("fills", "generated"): {"length": 2},
    ("fills", "missing_aware"): {"length": 2},
}
"""Small sizes, and, with a frozen network, something of each modality that learns."""
NAMES = ("audio", "vision")
VECTOR = {**ENCODERS["vector"], "batch_norm": True}
"""With normalisation, of which the predictors that adapt need some."""


def member(room: str, kind: str) -> Form:
    return {**next(iter(forms(room, kind))), **OPTIONS.get((room, kind), {})}


def pairs() -> Iterator[Any]:
    for one, other in combinations(SECTIONS, 2):
        for first, second in product(specs(one), specs(other)):
            yield pytest.param({one: first, other: second}, id=f"{first}-{second}")


def experiment(chosen: dict[str, str]) -> Experiment:
    """The members, on the first fusion over vectors that the method works with."""
    given = {room: member(room, kind) for room, kind in chosen.items()}
    method = specs("modulations")[chosen.get("modulations", "none")]
    known = fusions(method)
    layout, fusion = next((entry for entry in known.values() if entry[0] == "vector"), next(iter(known.values())))
    schedule = {"schedule": least("schedules", method.schedule)} if method.schedule else {}
    return Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "toy",
            "modalities": {name: {"encoder": VECTOR if layout == "vector" else ENCODERS[layout]} for name in NAMES},
            "fusion": fusion,
            "task": {"kind": "classification"},
            **{SECTIONS[room]: form for room, form in given.items()},
            **schedule,
            "classifiers": {"dropout": 0.0},
            "training": {"epochs": 1},
        }
    )


def built(spec: Experiment, layout: str) -> Built:
    dataset = Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": list(SHAPES[layout])} for name in NAMES},
            "target": TARGETS["classes"],
        }
    )
    return build_network(spec, dataset, seed=3)


class Holed(Toy):
    """Every third sample lacks the first modality, every third the second."""

    def __init__(self, layout: str, number: int, seed: int) -> None:
        super().__init__(NAMES, layout, "classes", number, seed)
        places = torch.arange(number)
        self.present = {"audio": places % 3 != 0, "vision": places % 3 != 1}
        for name, there in self.present.items():
            self.values[name][~there] = 0.0


def layout_of(spec: Experiment) -> str:
    return next(iter(spec.modalities.values())).encoder.layout


def weights(made: Built) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in made.network.state_dict().items()}


@pytest.mark.parametrize("chosen", list(pairs()))
def test_every_pair_makes_a_step_and_predicts(chosen: dict[str, str]) -> None:
    spec = experiment(chosen)
    made, layout = built(spec, layout_of(spec)), layout_of(spec)
    made.task.metrics = lambda logits, target: {}  # type: ignore[method-assign]  # none is looked at, and they cost
    train, valid = Holed(layout, 12, 1), Holed(layout, 9, 2)
    before = weights(made)
    arguments = (made.network, made.task, made.modulation, train, valid, options(epochs=1, batch_size=12))
    gc.freeze()  # `fit` collects garbage at its end; what was there before would be most of its time
    try:
        fit(*arguments, schedule=build_schedule(spec, made.network), predictor=made.predictor)
    finally:
        gc.unfreeze()
    after = weights(made)
    learns = {name for name, parameter in made.network.named_parameters() if parameter.requires_grad}
    frozen = {name for name, _ in made.network.named_parameters()} - learns
    assert any(not torch.equal(before[name], after[name]) for name in learns), "nothing learnt"
    assert all(torch.equal(before[name], after[name]) for name in frozen), "something frozen moved"
    assert all(value.isfinite().all() for value in after.values() if value.is_floating_point())
    logits = predict(made.network, valid, predictor=made.predictor).logits
    assert logits.shape == (9, CLASSES)
    assert logits.isfinite().all()


TOKENS = {"fill": ("fills", "generated"), "adapter": ("adapters", "wander"), "prediction": ("predictors", "casp")}


def test_the_four_of_them_together_over_tokens() -> None:
    """CGGM, generated features, Wander in every layer and CASP in one experiment."""
    layout, fusion = FUSIONS["tokens"]
    spec = Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "toy",
            "modalities": {name: {"encoder": ENCODERS[layout]} for name in NAMES},
            "fusion": fusion,
            "task": {"kind": "classification"},
            **{section: member(*place) for section, place in TOKENS.items()},
            "adapter": {**member("adapters", "wander"), "where": "every"},
            "modulation": {"kind": "cggm", "preset": "stable"},
            "training": {"epochs": 2},
        }
    )
    made = built(spec, layout)
    before = weights(made)
    arguments = (made.network, made.task, made.modulation, Holed(layout, 24, 1), Holed(layout, 9, 2))
    fitted = fit(*arguments, options(), predictor=made.predictor)
    assert all(f"B_{name}" in fitted.history[-1] for name in NAMES), "CGGM did not act"
    moved = {name for name, value in weights(made).items() if not torch.equal(before[name], value)}
    for part in ("fill.", "adapter.", "head."):
        assert any(name.startswith(part) for name in moved), f"{part} did not move"
    assert not [name for name in moved if name.startswith("fusion.")], "the frozen fusion moved"
    logits = predict(made.network, Holed(layout, 9, 3), predictor=made.predictor).logits
    assert logits.isfinite().all()


def test_an_input_is_nothing_but_values_mask_and_presence() -> None:
    """What a predictor gets has no room for a label."""
    assert set(Input.__dataclass_fields__) == {"values", "mask", "present"}
