"""InfoReg: who is held, how strongly, and while the window is open."""

from __future__ import annotations

import math

import pytest
import torch
from modulation_toy import batches
from scored_toy import Concatenated, gradients, made
from torch.nn import functional

from cggm_pipeline.modulations._ratios import lead


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ((3, 1), (2, 0)),
        ((1, 1), (0, 0)),
        ((-1, -4, -2), (2, 0, 2)),  # mean of 3 and 1; nobody; 2
        ((5, 1, 1, 3), (10 / 3, 0, 0, 2)),
    ],
)
def test_lead(score, expected):
    assert lead(torch.tensor(score, dtype=torch.float64)).tolist() == pytest.approx(expected)


def moved(net, amount=0.1):
    """Every encoder weight a little away from where the epoch began."""
    with torch.no_grad():
        for parameter in net.encoders.parameters():
            parameter += amount * torch.rand_like(parameter)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_gradients(form):
    """The gradient of L + sum L(u_m) + alpha_m / 2 |theta_m - theta_m at the epoch's start|^2, alpha a constant."""
    net, method = made("info_reg", ("a", "b"), network=Concatenated, form=form, beta=0.7)
    method.start_epoch(0)
    start = {n: [p.detach().clone() for p in net.encoders[n].parameters()] for n in "ab"}
    moved(net)
    inputs, target = next(batches("ab", 1, 16))
    features = {n: net.encoders[n](inputs[n]) for n in "ab"}
    place = {"a": slice(0, 5), "b": slice(5, 10)}
    own = {n: features[n] @ net.head.weight[:, place[n]].T + net.head.bias / 2 for n in "ab"}
    true = {n: u.softmax(1)[range(16), target] for n, u in own.items()}
    score = {n: (p.log().mean() if form == "paper" else p.sum()).item() for n, p in true.items()}
    ahead = max(score, key=score.get)
    gap = math.tanh(max(score.values()) - min(score.values()))
    strength = {"paper": math.exp(0.7 * gap), "released": 0.7 * math.exp(gap)}[form]
    total = functional.cross_entropy(net.head(net.fuse(features)), target)
    total = total + sum(functional.cross_entropy(u, target) for u in own.values())
    away = sum(((p - q) ** 2).sum() for p, q in zip(net.encoders[ahead].parameters(), start[ahead], strict=True))
    encoders = [p for n in "ab" for p in net.encoders[n].parameters()]
    wanted = torch.autograd.grad(total + strength / 2 * away, [*encoders, *net.head.parameters()])

    record, _ = gradients(net, method, inputs, target)
    assert record["strength"][ahead].item() == pytest.approx(strength)
    assert sorted(value.item() > 0 for value in record["strength"].values()) == [False, True]
    count = 16 if form == "released" else 1
    assert {n: v.item() * count for n, v in record["score"].items()} == pytest.approx(score)
    for parameter, want in zip([*encoders, *net.head.parameters()], wanted, strict=True):
        torch.testing.assert_close(parameter.grad, want, rtol=1e-7, atol=1e-10)


def test_where_the_epoch_began_nothing_is_added():
    net, method = made("info_reg", beta=2.0)
    other, plain = made("info_reg")
    plain.prime.zero_()
    inputs, target = next(batches("abc", 1, 8))
    moved(net, 0.0)
    _, found = gradients(net, method, inputs, target)
    _, alone = gradients(other, plain, inputs, target)
    assert all(torch.equal(f, g) for n in found for f, g in zip(found[n], alone[n], strict=True))


def test_the_start_is_that_of_the_epoch():
    net, method = made("info_reg")
    moved(net)
    assert not torch.equal(method.start_0_0, next(net.encoders["a"].parameters()))
    method.start_epoch(3)
    assert torch.equal(method.start_0_0, next(net.encoders["a"].parameters()))
    assert {"start_2_1", "traces", "trace", "prime"} <= set(method.state_dict())


TRACES = [1.0, 1.5, 1.5, 1.6, 1.5, 2.5, 2.55, 2.6, 1.0, 4.0, 3.0, 2.0, 2.1, 5.0]


def test_the_window_of_the_paper():
    """Open before epoch t where (F_{t-1} - F_{t-2}) / F_{t-1} > 0.04; before the first epoch F is 0."""
    _, method = made("info_reg", ("a", "b"), threshold=0.04)
    before = [0.0, *TRACES]
    for epoch, trace in enumerate(TRACES):
        method.trace.copy_(torch.tensor([3 * trace, 3 * 7.0, 3.0]))  # three steps; b's trace stays 7
        method.end_epoch(epoch)
        opened = (trace - before[epoch]) / trace > 0.04
        assert method.prime.tolist() == [opened, epoch == 0]
        assert not method.trace.any()


def test_the_window_of_the_released_code():
    """(sum(list[-10:]) - sum(list[-11:-1])) / sum(list[-10:]) > K, of lists that begin empty."""
    _, method = made("info_reg", ("a", "b"), form="released", threshold=0.05)
    for epoch in range(len(TRACES)):
        method.trace.copy_(torch.tensor([TRACES[epoch], 0.0, 1.0]))
        method.end_epoch(epoch)
        past = TRACES[: epoch + 1]
        new, old = sum(past[-10:]) / 10, sum(past[-11:-1]) / 10
        assert method.prime.tolist() == [(new - old) / new > 0.05, False]  # a trace of 0 has no window


def test_a_closed_window_holds_nobody():
    net, method = made("info_reg")
    method.prime.zero_()
    moved(net)
    inputs, target = next(batches("abc", 1, 8))
    record, _ = gradients(net, method, inputs, target)
    assert all(value == 0 for value in record["strength"].values())


@pytest.mark.parametrize("form", ["paper", "released"])
def test_the_trace_is_that_of_the_steps_gradients(form):
    """Paper: |grad|^2 of the losses alone. Released: mean squares of weights, added up, with the holding term."""
    net, method = made("info_reg", ("a", "b"), form=form)
    method.start_epoch(0)
    expected = {"a": 0.0, "b": 0.0}
    for inputs, target in batches("ab", 3, 8):
        moved(net)
        record, found = gradients(net, method, inputs, target)
        for n in "ab":
            weight = found[n][0]
            expected[n] += record["grad_norm"][n].item() ** 2 if form == "paper" else weight.square().mean().item()
    assert any(value > 0 for value in record["strength"].values())
    assert method.trace.tolist() == pytest.approx([expected["a"], expected["b"], 3], rel=1e-6)
    method.end_epoch(0)
    assert method.traces[:, -1].tolist() == pytest.approx([expected["a"] / 3, expected["b"] / 3], rel=1e-6)


def test_a_gradient_that_overflowed_counts_nothing():
    net, method = made("info_reg", ("a", "b"))
    inputs, target = next(batches("ab", 1, 8))
    gradients(net, method, inputs, target)
    before = method.trace.clone()
    gradients(net, method, {n: x * float("inf") for n, x in inputs.items()}, target)
    assert torch.equal(method.trace, before)
