"""AGM: Shapley shares of the logits, and the gradient that flows through each of them."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from modulation_toy import batches
from scored_toy import gradients, made, stepped, train
from torch.nn import functional

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations.agm import LARGEST, relative, shapley
from cggm_pipeline.spec import modulations as specs

NAMES = ("a", "b", "c", "d")


@pytest.mark.parametrize("number", [2, 3, 4])
def test_shares_add_up_to_the_logits(number):
    net, method = made("agm", NAMES[:number])
    inputs, target = next(batches(NAMES[:number], 1, 5))
    step = stepped(net, method, inputs, target)
    torch.testing.assert_close(sum(method.shares(step)), step.logits, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_shares_are_means_over_the_orders_in_which_modalities_join(number):
    """The other definition of the Shapley value, with f(nothing) = 0."""
    names = NAMES[:number]
    net, method = made("agm", names)
    inputs, target = next(batches(names, 1, 5))
    step = stepped(net, method, inputs, target)

    def value(subset):
        return step.rerun([n for n in names if n not in subset]) if subset else torch.zeros(5, 3)

    orders = list(permutations(names))
    for name, share in zip(names, method.shares(step), strict=True):
        gains = [value({*o[: o.index(name)], name}) - value({*o[: o.index(name)]}) for o in orders]
        torch.testing.assert_close(share, sum(gains) / len(orders), rtol=1e-12, atol=1e-12)


def test_two_modalities_as_printed():
    """phi_a = (f(a, v) - f(0, v) + f(a, 0)) / 2."""
    assert shapley(2) == {(0,): [0.5, -0.5], (1,): [-0.5, 0.5], (0, 1): [0.5, 0.5]}


@pytest.mark.parametrize(("scores", "logarithms"), [((1, 3), (2, -2)), ((1, 2, 3), (1.5, 0, -1.5))])
def test_relative_scores(scores, logarithms):
    assert relative(torch.tensor(scores, dtype=torch.float64)).log().tolist() == pytest.approx(logarithms)


@pytest.mark.parametrize("number", [2, 3])
def test_three_steps_against_a_plain_restatement(number):
    """kappa from the tau of the steps before; the gradient is the sum over m of kappa_m times that through phi_m."""
    names = NAMES[:number]
    net, method = made("agm", names, alpha=0.7)
    seen = []
    for inputs, target in batches(names, 3, 16):
        step = stepped(net, method, inputs, target)
        shares, parameters = method.shares(step), list(net.parameters())
        s = [-sum(max(math.log(1e-8), p.log_softmax(0)[y].item()) for p, y in zip(u, target.tolist(), strict=True)) / 16
             for u in shares]  # fmt: skip
        tau = [sum(t[m] for t in seen) / len(seen) if seen else 0.0 for m in range(number)]
        r, rhat = ([math.exp(number / (number - 1) * (sum(x) / number - v)) for v in x] for x in (s, tau))
        kappa = [math.exp(0.7 * min(b - a, 10)) for a, b in zip(r, rhat, strict=True)]
        expected = [torch.zeros_like(p) for p in parameters]
        for m in range(number):
            alone = sum(share if i == m else share.detach() for i, share in enumerate(shares))
            through = torch.autograd.grad(functional.cross_entropy(alone, target), parameters, retain_graph=True)
            expected = [e + kappa[m] * g for e, g in zip(expected, through, strict=True)]
        record, _ = gradients(net, method, inputs, target)
        assert [v.item() for v in record["factor"].values()] == pytest.approx(kappa, rel=1e-9)
        assert [v.item() for v in record["score"].values()] == pytest.approx(s, rel=1e-9)
        for parameter, want in zip(parameters, expected, strict=True):
            torch.testing.assert_close(parameter.grad, want, rtol=1e-9, atol=1e-12)
        seen.append(s)
    assert method.tau.tolist() == pytest.approx([sum(t[m] for t in seen) / 3 for m in range(number)])
    assert method.steps.item() == 3


def test_the_value_is_the_losses():
    net, method = made("agm")
    inputs, target = next(batches("abc", 1, 9))
    step = stepped(net, method, inputs, target)
    loss = functional.cross_entropy(step.logits, target)
    torch.testing.assert_close(method.objective(loss, step), loss, rtol=1e-12, atol=1e-12)


def test_kappa_is_1_where_nothing_has_changed_and_larger_where_the_loss_has_grown():
    _, method = made("agm", ("a", "b"))
    scores = torch.tensor([1.0, 2.0], dtype=torch.float64)
    method.tau.copy_(scores)
    assert method._factors(scores).tolist() == [1, 1]
    grown = method._factors(torch.tensor([1.5, 2.0], dtype=torch.float64))
    assert grown[0] > 1 > grown[1]


@pytest.mark.parametrize(("cap", "expected"), [(10.0, 15), (None, 1.5 * (math.exp(3) - math.exp(-3))), (0.0, 0)])
def test_the_cap(cap, expected):
    _, method = made("agm", ("a", "b"), cap=cap)
    method.tau.copy_(torch.tensor([0.0, 3.0]))
    factors = method._factors(torch.tensor([3.0, 0.0], dtype=torch.float64))
    assert factors.log()[0].item() == pytest.approx(expected)


def test_probabilities_have_a_floor():
    net, method = made("agm", ("a", "b"))
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([1000.0, 0.0, 0.0]))
    inputs, _ = next(batches("ab", 1, 8))
    record, _ = gradients(net, method, inputs, torch.ones(8, dtype=torch.long))
    assert all(score.item() == pytest.approx(LARGEST) for score in record["score"].values())
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_targets_that_are_values(scale):
    """The score is the task's loss of phi, at most -log 1e-8, so that no exponent overflows."""
    net, method = made("agm", ("a", "b"), alpha=0.5)
    method._loss = (functional.mse_loss,)
    inputs, _ = next(batches("ab", 1, 8))
    step = stepped(net, method, inputs, scale * torch.ones(8, 3, dtype=torch.float64))
    expected = [min(functional.mse_loss(u, step.target).item(), LARGEST) for u in method.shares(step)]
    record = method.backward(functional.mse_loss(step.logits, step.target), step)
    assert [value.item() for value in record["score"].values()] == pytest.approx(expected)
    assert all(value.isfinite() for value in record["factor"].values())


def test_scores_are_means_where_processes_have_less_than_a_sample_each(monkeypatch):
    """One sample in two processes, as the one that has it sees it: sums and counts are means over processes."""
    inputs, target = next(batches("ab", 1, 1))
    factors = []
    for processes in (1, 2):
        net, method = made("agm", ("a", "b"))
        monkeypatch.setattr(_distributed, "mean_", lambda tensors, n=processes: [each.div_(n) for each in tensors])
        step = stepped(net, method, inputs, target)
        method.objective(functional.cross_entropy(step.logits, target), step).backward()
        factors.append([p.grad.clone() for p in net.parameters()])
    for alone, shared in zip(*factors, strict=True):
        torch.testing.assert_close(alone, shared, rtol=1e-12, atol=0)


def test_off_is_none():
    net, method = made("agm", alpha=0.0)
    inputs, target = next(batches("abc", 1, 8))
    step = stepped(net, method, inputs, target)
    loss = functional.cross_entropy(step.logits, target)
    assert method.objective(loss, step) is loss
    assert train(net, method, torch.optim.SGD(net.parameters(), 0.1), [(inputs, target)]) == [{}]
    assert specs.AGM(kind="agm", alpha=0.0).effective().kind == "none"
    assert specs.AGM(kind="agm").effective().kind == "agm"
