"""MMPareto against a value table worked out by hand, its guarantees, and a plain restatement of both forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modulation_toy import Classifier, Net, batches, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import MMPareto, Parts, Step
from cggm_pipeline.modulations._pareto import combined, dot, weight

TABLE = [
    # g        g_m      a       h = 2 a g + 2 (1 - a) g_m
    ((1, 0), (1, 1), 0.5, (2, 1)),  # they agree: the plain sum
    ((1, 0), (-1, 1), 0.6, (0.4, 0.8)),  # (2 + 1) / 5
    ((1, 0), (0, 1), 0.5, (1, 1)),  # at right angles
    ((4, 0), (-1, 0), 0.2, (0, 0)),  # opposed: (1 + 4) / 25, and nothing is left
    ((2, 0), (-1, 3), 12 / 18, (2, 2)),  # (10 + 2) / 18
    ((0, 0), (1, 0), 0.999, (0.002, 0)),  # the joint loss says nothing
    ((1, 0), (0, 0), 0.001, (0.002, 0)),  # the modality's own says nothing
    ((0, 0), (0, 0), 0.999, (0, 0)),
]


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("joint", "own", "share", "ahead"), TABLE)
def test_value_table(joint, own, share, ahead):
    g, u = [double(*joint)], [double(*own)]
    found = weight(dot(g, g), dot(g, u), dot(u, u))
    assert found.item() == pytest.approx(share, abs=1e-12)
    (paper,) = combined(g, u, found, 1.5, "paper")
    (released,) = combined(g, u, found, 1.5, "released")
    length, plain = math.hypot(*ahead), math.dist(joint, [-x for x in own])
    if length < 1e-12:
        assert not paper.any()
        assert not released.any()
    else:
        assert paper.tolist() == pytest.approx([1.5 * x * plain / length for x in ahead], abs=1e-12)
        assert released.tolist() == pytest.approx([1.5 * x * max(1, plain / length) for x in ahead], abs=1e-12)


def test_the_release_never_shortens_a_tensor():
    """a = (2 + 4) / 26 of the whole encoder; its second tensor's h, 20/13, is longer than its plain sum, 1."""
    g, u = [double(4.0), double(0.0)], [double(-1.0), double(1.0)]
    share = weight(dot(g, g), dot(g, u), dot(u, u))
    assert share.item() == pytest.approx(3 / 13)
    first, second = combined(g, u, share, 1.5, "released")
    assert first.item() == pytest.approx(1.5 * 3)
    assert second.item() == pytest.approx(1.5 * 20 / 13)


numbers = st.lists(st.floats(-5, 5), min_size=6, max_size=6)


@settings(max_examples=60)
@given(numbers, numbers)
def test_no_loss_objects_and_the_length_is_as_promised(first, second):
    """<h, g> >= 0 and <h, g_m> >= 0, and form "paper" has gamma times the plain sum's length."""
    g, u = list(double(*first).split([2, 4])), list(double(*second).split([2, 4]))
    share = weight(dot(g, g), dot(g, u), dot(u, u))
    scale = dot(g, g).item() + dot(u, u).item()
    for form in ("paper", "released"):
        found = combined(g, u, share, 1.0, form)
        assert all(each.isfinite().all() for each in found)
    ahead = [2 * share * a + 2 * (1 - share) * b for a, b in zip(g, u, strict=True)]
    assert dot(ahead, g).item() >= -1e-9 * scale
    assert dot(ahead, u).item() >= -1e-9 * scale
    if dot(ahead, ahead).item() > 1e-9 * scale:
        plain = torch.cat(g) + torch.cat(u)
        assert torch.cat(list(combined(g, u, share, 1.5, "paper"))).norm().item() == pytest.approx(
            1.5 * plain.norm().item()
        )


def toy(names="ab", **options):
    torch.manual_seed(0)
    net, classifiers = Net(sorted(names)).double(), {name: Classifier().double() for name in names}
    method = MMPareto(Parts(dict(net.encoders.items())), classifiers, functional.cross_entropy, **options)
    return net, classifiers, method


def restated(net, classifiers, inputs, target, gamma, form):
    """One backward pass per loss, as the release does it; the gradients of every encoder."""
    features, _, logits = net(inputs)
    losses = {name: functional.cross_entropy(each(features[name]), target) for name, each in classifiers.items()}
    found = {}
    for name, encoder in net.encoders.items():
        parameters = list(encoder.parameters())
        g = torch.autograd.grad(functional.cross_entropy(logits, target), parameters, retain_graph=True)
        u = torch.autograd.grad(losses[name], parameters, retain_graph=True)
        flat_g, flat_u = (torch.cat([each.flatten() for each in both]) for both in (g, u))
        a = 0.5
        if functional.cosine_similarity(flat_g, flat_u, dim=0) <= 0:
            a = ((flat_u - flat_g) @ flat_u / (flat_g - flat_u).square().sum()).item()
        h = [2 * a * x + 2 * (1 - a) * y for x, y in zip(g, u, strict=True)]
        if form == "paper":
            factor = (flat_g + flat_u).norm() / torch.cat([each.flatten() for each in h]).norm()
            found[name] = a, [gamma * factor * each for each in h]
        else:
            longer = [max(1.0, ((x + y).norm() / z.norm()).item()) for x, y, z in zip(g, u, h, strict=True)]
            found[name] = a, [gamma * factor * each for factor, each in zip(longer, h, strict=True)]
    return found


@pytest.mark.parametrize("form", ["paper", "released"])
@pytest.mark.parametrize("names", ["ab", "abc"])
def test_gradients_are_the_restatements(names, form):
    """Over several batches, so that agreeing and conflicting gradients are both met."""
    net, classifiers, method = toy(names, form=form, gamma=1.3)
    weights = []
    for inputs, target in batches(names, 12, 8, seed=4):
        expected = restated(net, classifiers, inputs, target, 1.3, form)
        net.zero_grad()
        step = step_of(net, inputs, target)
        record = method.backward(functional.cross_entropy(step.logits, target), step)
        for name, (share, gradients) in expected.items():
            weights.append(share)
            assert record["weight"][name].item() == pytest.approx(share, rel=1e-9)
            for parameter, gradient in zip(net.encoders[name].parameters(), gradients, strict=True):
                torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)
    assert min(weights) != max(weights), "no conflict was met"
    assert 0.5 in weights


def test_where_both_agree_the_direction_is_the_plain_sums():
    net, _, method = toy(gamma=1.0)
    for inputs, target in batches("ab", 1, 8):
        step = step_of(net, inputs, target)
        plain = functional.cross_entropy(step.logits, target)
        own = {n: functional.cross_entropy(method.classifiers[n](step.features[n]), target) for n in "ab"}
        parameters = [p for n in "ab" for p in net.encoders[n].parameters()]
        expected = torch.autograd.grad(plain + sum(own.values()), parameters, retain_graph=True)
        record = method.backward(plain, step)
        for place, name in enumerate("ab"):
            if record["cos"][name] > 0:
                for parameter, gradient in zip(
                    parameters[2 * place :], expected[2 * place : 2 * place + 2], strict=False
                ):
                    torch.testing.assert_close(parameter.grad, gradient)
        assert max(record["cos"].values()) > 0


def test_fusion_head_and_classifiers_have_their_plain_gradients():
    net, _, method = toy()
    inputs, target = next(batches("ab", 1, 8))
    step = step_of(net, inputs, target)
    loss = functional.cross_entropy(step.logits, target)
    others = [*net.fusion.parameters(), *net.head.parameters()]
    expected = torch.autograd.grad(loss, others, retain_graph=True)
    own = [functional.cross_entropy(method.classifiers[n](step.features[n]), target) for n in "ab"]
    expected += torch.autograd.grad(sum(own), list(method.parameters()), retain_graph=True)
    record = method.backward(loss, step)
    for parameter, gradient in zip([*others, *method.parameters()], expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=0)
    assert [v.item() for v in record["unimodal_loss"].values()] == pytest.approx([each.item() for each in own])


@pytest.mark.parametrize("form", ["paper", "released"])
def test_uneven_micro_batches_and_a_lent_sample_are_one_batch(form):
    """Weights as training/shares.py has them: 3 and 5 of 8 samples, and one that counts for nothing."""
    net, _, method = toy(form=form)
    inputs, target = next(batches("ab", 1, 8))
    step = step_of(net, inputs, target)
    method.backward(functional.cross_entropy(step.logits, target), step)
    whole = [parameter.grad.clone() for parameter in [*net.parameters(), *method.parameters()]]
    net.zero_grad()
    method.zero_grad()
    for rows, share in ((slice(0, 3), 3 / 8), (slice(3, 8), 5 / 8), (slice(0, 1), 0.0)):
        samples = None if share else 0
        step = step_of(net, {n: x[rows] for n, x in inputs.items()}, target[rows], samples=samples)
        (share * method.objective(functional.cross_entropy(step.logits, target[rows]), step)).backward()
    method.modulate_(step)
    for parameter, gradient in zip([*net.parameters(), *method.parameters()], whole, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


class TwoTensors(nn.Module):
    """An encoder whose second tensor never takes part, and has no gradient or a zero one."""

    def __init__(self, used: bool):
        super().__init__()
        self.first, self.second = nn.Linear(4, 5, bias=False).double(), nn.Parameter(torch.ones(3).double())
        self.used = used

    def forward(self, x):
        return self.first(x) + (0.0 * self.second.sum() if self.used else 0.0)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("form", ["paper", "released"])
def test_a_tensor_without_gradient_makes_no_nan(form, used):
    """MMPareto's code divides by |h| tensor by tensor, 0 here."""
    torch.manual_seed(0)
    encoders, head = {n: TwoTensors(used) for n in "ab"}, nn.Linear(10, 3).double()
    classifiers = {n: nn.Linear(5, 3).double() for n in "ab"}
    method = MMPareto(Parts(encoders), classifiers, functional.cross_entropy, form=form)
    x, target = torch.randn(6, 4).double(), torch.arange(6) % 3
    features = {n: encoder(x) for n, encoder in encoders.items()}
    fused = torch.cat([features[n] for n in "ab"], 1)
    logits = head(fused)
    method.backward(functional.cross_entropy(logits, target), Step(features, fused, logits, target))
    for encoder in encoders.values():
        assert not encoder.second.grad.any()
        assert encoder.first.weight.grad.isfinite().all()
        assert encoder.first.weight.grad.any()


def test_refused():
    parts = Parts({n: nn.Linear(2, 2) for n in "ab"})
    heads = {n: nn.Linear(2, 2) for n in "ab"}
    with pytest.raises(ValueError, match="form is 'icml'; allowed: paper, released"):
        MMPareto(parts, heads, functional.cross_entropy, form="icml")
    with pytest.raises(ValueError, match="gamma is 0"):
        MMPareto(parts, heads, functional.cross_entropy, gamma=0)
    with pytest.raises(ValueError, match="both need the same modalities"):
        MMPareto(parts, {"a": heads["a"]}, functional.cross_entropy)
    method, z = MMPareto(parts, heads, functional.cross_entropy), torch.zeros(1, 4)
    step = Step({"a": z[:, :2], "b": z[:, 2:]}, z, z, torch.zeros(1, dtype=torch.long))
    with pytest.raises(RuntimeError, match="call penalty before backward"):
        method.modulate_(step)
