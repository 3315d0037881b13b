"""Turns, draws and predictors in the loop: what is logged, what is counted, what is selected by."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.schedules.alternating import Alternating
from cggm_pipeline.schedules.smv import SMV
from cggm_pipeline.schedules.thinned import Thinned
from cggm_pipeline.training.fit import fit

NAMES = ("lower", "upper")


def test_every_turn_is_an_optimiser_step_and_its_modality_is_logged(problem):
    one = problem(epochs=2)
    joint = fit(*problem(epochs=2).arguments())
    fitted = fit(*one.arguments(), schedule=Alternating(NAMES))
    assert fitted.steps == 2 * joint.steps
    for row in fitted.history:
        assert all(row[f"grad_norm_{name}"] > 0 for name in NAMES)


def test_a_thinned_modalitys_gradient_is_logged_where_it_learns(problem):
    fitted = fit(*problem(epochs=1).arguments(), schedule=Thinned(NAMES, modality="upper", every=10**6))
    joint = fit(*problem(epochs=1).arguments())
    assert fitted.steps == joint.steps
    assert fitted.history[0]["grad_norm_upper"] > 0  # of the first step, in which it learned


@pytest.mark.parametrize("schedule", [Thinned(NAMES, modality="upper", every=1), SMV(NAMES, warmup=99)])
def test_a_schedule_that_changes_nothing_is_the_ordinary_training_bit_for_bit(problem, schedule):
    found, plain = fit(*problem().arguments(), schedule=schedule), fit(*problem().arguments())
    assert found.history == plain.history
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, plain.network.state_dict()[name])


def test_alternating_learns(problem):
    one = problem(epochs=4)
    before = evaluate(one.network, one.task, one.test)["accuracy"]
    fit(*one.arguments(), schedule=Alternating(NAMES))
    assert evaluate(one.network, one.task, one.test)["accuracy"] > before + 0.3


def test_valuation_lengthens_epochs_and_learns(problem):
    one = problem(epochs=4)
    before = evaluate(one.network, one.task, one.test)["accuracy"]
    fitted = fit(*one.arguments(), schedule=SMV(NAMES, warmup=1))
    assert fitted.steps > 4 * fit(*problem(epochs=1).arguments()).steps
    assert evaluate(one.network, one.task, one.test)["accuracy"] > before + 0.3


class Constant(Predictor):
    """Says the first class, always."""

    def __call__(self, network, inputs) -> Tensor:
        logits = torch.zeros_like(network(inputs).logits)
        logits[:, 0] = 1
        return logits


def test_validation_asks_the_predictor(problem):
    one = problem(epochs=2)
    fitted = fit(*one.arguments(), predictor=Constant())
    zeros = sum(int((batch.target == 0).sum()) for batch in one.valid.batches(60))
    assert [row["valid_accuracy"] for row in fitted.history] == [zeros / 60] * 2
    assert fitted.selected == 0
    assert evaluate(one.network, one.task, one.valid, predictor=Constant())["accuracy"] == zeros / 60
