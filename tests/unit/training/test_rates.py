"""Optimisers and schedules: the spec's parameters and defaults, and the rates over the epochs."""

from __future__ import annotations

import inspect
import math

import pytest
import torch

from cggm_pipeline.spec import training as spec
from cggm_pipeline.training.optimizers import OPTIMIZERS
from cggm_pipeline.training.schedules import SCHEDULES

SPECS = {
    **{kind: (OPTIMIZERS[kind], cls) for kind, cls in (("sgd", spec.SGD), ("adam", spec.Adam), ("adamw", spec.AdamW))},
    **{
        kind: (SCHEDULES[kind], cls)
        for kind, cls in (
            ("constant", spec.Constant),
            ("plateau", spec.Plateau),
            ("cosine", spec.Cosine),
            ("step", spec.StepDecay),
        )
    },
}


def test_every_kind_of_the_spec_is_there():
    kinds = [cls.model_fields["kind"].annotation.__args__[0] for _, cls in SPECS.values()]
    assert kinds == list(SPECS)
    assert set(SPECS) == OPTIMIZERS.keys() | SCHEDULES.keys()


@pytest.mark.parametrize("kind", SPECS)
def test_parameters_and_defaults_are_those_of_the_spec(kind):
    function, cls = SPECS[kind]
    given = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    fields = {
        name: inspect.Parameter.empty if field.is_required() else field.default
        for name, field in cls.model_fields.items()
        if name != "kind"
    }
    assert given == fields


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimiser_minimises(kind):
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = OPTIMIZERS[kind]([{"params": [weight]}], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    assert abs(weight.item()) < 0.2


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_rate_may_be_a_tensor(kind):
    """`Modulation.rates` gives tensors on the device; the host must not be asked for their value."""
    plain, tensor = (torch.nn.Parameter(torch.tensor([3.0, -1.0])) for _ in range(2))
    for weight, rate in ((plain, 0.05), (tensor, torch.tensor(0.05))):
        optimizer = OPTIMIZERS[kind]([{"params": [weight]}], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
    torch.testing.assert_close(plain, tensor, rtol=0, atol=1e-6)


def rates(kind: str, epochs: int, losses=None, **arguments) -> list[float]:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [weight]}], lr=2.0)
    schedule = SCHEDULES[kind](optimizer, epochs, **arguments)
    found = []
    for epoch in range(epochs):
        found.append(optimizer.param_groups[0]["lr"] / 2.0)
        optimizer.step()
        schedule.step(losses[epoch] if losses else 1.0)
    return found


def test_rates_of_every_schedule():
    assert rates("constant", 3) == [1, 1, 1]
    assert rates("step", 5, every=2, factor=0.5) == [1, 1, 0.5, 0.5, 0.25]
    assert rates("plateau", 6, losses=[3, 2, 2, 2, 2, 1], patience=1, factor=0.1) == pytest.approx(
        [1, 1, 1, 1, 0.1, 0.1]
    )
    cosine = [(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert rates("cosine", 4) == pytest.approx(cosine)
    assert rates("cosine", 6, warmup=2) == pytest.approx([1 / 3, 2 / 3, *cosine])
    assert rates("cosine", 6, warmup=2, start=0.04) == pytest.approx([0.04, 0.52, *cosine])
    assert rates("cosine", 6, warmup=2, start=0.0) == pytest.approx([0.0, 0.5, *cosine])
    assert rates("cosine", 4, final=0.5) == pytest.approx([0.5 + 0.5 * value for value in cosine])


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(kind):
    arguments = {"step": {"every": 2}, "plateau": {"patience": 1}}.get(kind, {})

    def made():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, SCHEDULES[kind](optimizer, 8, **arguments)

    (first, whole), (second, resumed) = made(), made()
    for epoch in range(8):
        if epoch == 3:
            second.load_state_dict(first.state_dict())
            resumed.load_state_dict(whole.state_dict())
        first.step()
        whole.step(1.0)
        if epoch >= 3:
            second.step()
            resumed.step(1.0)
    assert first.param_groups[0]["lr"] == second.param_groups[0]["lr"]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_group_that_is_not_scheduled_keeps_its_rate(kind):
    """CGGM's released code schedules the network alone; from the first epoch on, also after a continuation."""
    arguments = {"step": {"every": 1}, "plateau": {"patience": 1}, "cosine": {"warmup": 2, "start": 0.04}}.get(kind, {})

    def made():
        weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]
        groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.5, "scheduled": False}]
        optimizer = torch.optim.SGD([*groups, {"params": [weights[2]], "scheduled": True}], lr=1.0)
        return optimizer, SCHEDULES[kind](optimizer, 6, **arguments)

    (optimizer, schedule), (second, resumed) = made(), made()
    for epoch in range(6):
        assert optimizer.param_groups[1]["lr"] == 0.5
        assert optimizer.param_groups[0]["lr"] == optimizer.param_groups[2]["lr"]
        optimizer.step()
        schedule.step(1.0)
        if epoch == 2:
            second.load_state_dict(optimizer.state_dict())
            resumed.load_state_dict(schedule.state_dict())
        elif epoch > 2:
            second.step()
            resumed.step(1.0)
            assert [group["lr"] for group in second.param_groups] == [group["lr"] for group in optimizer.param_groups]
    assert kind == "constant" or optimizer.param_groups[0]["lr"] < 1
