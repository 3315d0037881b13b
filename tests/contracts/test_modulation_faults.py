"""Batches at the edge of what is defined: no method makes a NaN of them, or asks the device for a value in a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contract_data import Toy
from contract_modulations import Case, once
from contract_training import built, data_of, train

from cggm_pipeline.build import Built
from cggm_pipeline.training.draws import Draws


def nothing(made: Built, data: Toy) -> None:
    """All inputs and all weights are zero, and with them every gradient but the head's bias."""
    data.values = {name: torch.zeros_like(values) for name, values in data.values.items()}
    for parameter in made.network.parameters():
        parameter.data.zero_()


def equal(made: Built, data: Toy) -> None:
    """Every modality says the same, through the same encoder: equal scores, equal losses."""
    first = data.modalities[0]
    data.values = {name: data.values[first].clone() for name in data.modalities}
    data.present = {}
    for _, encoder in made.network.encoders.items():  # a modality is called "values"
        encoder.load_state_dict(made.network.encoders[first].state_dict())


def one_class(made: Built, data: Toy) -> None:
    """Every target is the same: the other classes are empty."""
    data.target = data.target[:1].expand_as(data.target).clone()
    data.target.flatten()[:] = data.target.flatten()[0]


def without_one(made: Built, data: Toy) -> None:
    """No sample has the first modality."""
    first = data.modalities[0]
    data.values[first].zero_()
    data.present = {first: torch.zeros(len(data), dtype=torch.bool)}


def certain(made: Built, data: Toy) -> None:
    """Logits so large that every probability is 0 or 1."""
    for parameter in made.network.head.parameters():
        parameter.data.mul_(1e4)


@pytest.mark.parametrize("case", once(0), ids=str)
@pytest.mark.parametrize("fault", [nothing, equal, one_class, without_one, certain], ids=lambda fault: fault.__name__)
def test_no_method_makes_a_nan(case: Case, fault: Callable[[Built, Toy], None]) -> None:
    made, data = built(case), data_of(case, 1, 24)
    fault(made, data)
    trained = train(case, made, data=data, gentle=True)
    for name, value in trained.state.items():
        assert value.isfinite().all(), name
    assert all(math.isfinite(value) for row in trained.fitted.history for value in row.values())


class AskedError(Exception):
    """The host asked the device for a value."""


@pytest.mark.parametrize("case", once(1), ids=str)
def test_a_step_moves_nothing_to_the_host(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*arguments: Any, **keywords: Any) -> None:
        raise AskedError

    real = Draws.batches

    def guarded(draws: Draws, *arguments: Any) -> Any:
        for batch in real(draws, *arguments):
            with monkeypatch.context() as patch:
                for name in ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__"):
                    patch.setattr(torch.Tensor, name, asked)
                yield batch

    monkeypatch.setattr(Draws, "batches", guarded)
    train(case, epochs=1, accumulate=2, clip=0.8)
