"""Preset `stable`: its equation against a plain restatement, its limits, what it remembers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from modulation_toy import batches, build, optimizer_of, state, step_of, train
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations import accuracy
from cggm_pipeline.modulations._guidance import guided
from cggm_pipeline.modulations._stable import Shortfall

CPU = torch.device("cpu")
MARGIN, RATE = 0.05, 0.05
any_score = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))


def steps_of(modalities):
    """Up to 12 steps, each with a score per modality and the fused prediction's."""
    return st.lists(st.lists(any_score, min_size=modalities + 1, max_size=modalities + 1), max_size=12)


many_scores = st.integers(2, 5).flatmap(steps_of)


def told(scores: list[list[float]], lam: float = 0.2) -> Shortfall:
    """A rule that has seen these steps; the last number of each is the fused prediction's."""
    rule = Shortfall(len(scores[0]) - 1 if scores else 2, CPU, lam)
    for *own, fused in scores:
        rule.advance_(torch.tensor(own, dtype=torch.float64), torch.tensor(fused, dtype=torch.float64))
    return rule


@given(many_scores, st.sampled_from([0.0, 0.01, 0.2, 1.0, 10.0]))
def test_the_bounds_hold_for_any_scores(scores, lam):
    """0 <= w_i <= 5 lam / margin and 1 / (1 + 5 lam / margin) <= B_i <= 1, whatever the scores were."""
    rule = told(scores, lam)
    bound = 5 * lam / MARGIN
    for weight, factor in zip(rule.guidance(), rule(rule.own), strict=True):
        assert 0 <= weight.item() <= bound * (1 + 1e-9)
        assert (1 - 1e-9) / (1 + bound) <= factor.item() <= 1
        assert factor.item() * (1 + weight.item()) == pytest.approx(1)


@given(many_scores.filter(bool), st.randoms())
def test_the_order_of_modalities_does_not_matter(scores, random):
    order = list(range(len(scores[0]) - 1))
    random.shuffle(order)
    other = told([[step[i] for i in order] + step[-1:] for step in scores])
    assert told(scores).guidance()[order].tolist() == pytest.approx(other.guidance().tolist())


def test_the_rule_by_hand():
    """Two steps, the plain mean; then the running mean with rate 0.05 once 1/t is below it."""
    rule = told([[0.2, 0.6, 0.9], [0.4, 0.8, 0.7]])
    assert rule.own.tolist() == pytest.approx([0.3, 0.7])
    assert rule.fused.item() == pytest.approx(0.8)
    assert rule.guidance().tolist() == pytest.approx([0.3 / 0.55, 0.7 / 0.15])
    rule = told([[0.5, 0.5, 0.5]] * 30 + [[1.0, 0.0, 0.5]])
    assert rule.own.tolist() == pytest.approx([0.5 + 0.5 * RATE, 0.5 - 0.5 * RATE])


def test_the_limits():
    """Before the first step: the joint loss alone. As good as the fused prediction: w_i = e_i / margin, and no more."""
    assert Shortfall(3, CPU).guidance().tolist() == [0, 0, 0]
    assert Shortfall(3, CPU)(torch.zeros(3)).tolist() == [1, 1, 1]
    assert told([[1.0, 0.5, 0.5]]).guidance().tolist() == pytest.approx([1 / MARGIN, 0.5 / MARGIN])
    assert told([[0.0, 1.0, 1.0]]).guidance().tolist() == pytest.approx([0, 1 / MARGIN])


def test_an_encoders_gradient_is_the_weighted_mean():
    """rho (B_i dL/dtheta_i + (1 - B_i) dL_i/dtheta_i), from separate backward passes, at every step."""
    net, method = build("cggm", preset="stable", rho=0.7, lam=0.3)
    optimizer = optimizer_of(net, method)
    history = []
    for inputs, target in batches("abc", 8, 16):
        step = step_of(net, inputs, target)
        joint, own, scores = by_hand(net, method, step, target)
        weights = restated(history)
        optimizer.zero_grad()
        record = method.backward(functional.cross_entropy(step.logits, target), step)
        for name in "abc":
            factor = 1 / (1 + weights[name])
            assert record["guidance"][name].item() == pytest.approx(weights[name])
            assert record["B"][name].item() == pytest.approx(factor)
            for parameter, a, b in zip(net.encoders[name].parameters(), joint[name], own[name], strict=True):
                torch.testing.assert_close(parameter.grad, 0.7 * (factor * a + (1 - factor) * b), rtol=1e-9, atol=1e-12)
        optimizer.step()
        history.append(scores)
    assert max(weights.values()) > 1


def by_hand(net, method, step, target):
    """Per modality the gradients of the joint loss and of its classifier's, and the scores."""
    joint, own, scores = {}, {}, {"fused": accuracy(step.logits, target).item()}
    for name in "abc":
        parameters = list(net.encoders[name].parameters())
        logits = method.classifiers[name](step.features[name])
        joint[name] = torch.autograd.grad(functional.cross_entropy(step.logits, target), parameters, retain_graph=True)
        own[name] = torch.autograd.grad(functional.cross_entropy(logits, target), parameters, retain_graph=True)
        scores[name] = accuracy(logits, target).item()
    return joint, own, scores


def restated(history: list[dict[str, float]]) -> dict[str, float]:
    """w_i from the scores of all steps before, in plain Python."""
    means = dict.fromkeys(["a", "b", "c", "fused"], 0.0)
    for number, scores in enumerate(history, start=1):
        rate = max(1 / number, RATE)
        means = {name: (1 - rate) * mean + rate * scores[name] for name, mean in means.items()}
    return {n: 5 * 0.3 * means[n] / (max(means["fused"] - means[n], 0) + MARGIN) for n in "abc"}


def test_without_lam_the_joint_loss_alone():
    """lam = 0, rho = 1: the gradients of joint training, bit for bit; the classifiers still learn."""
    gradients = []
    for kind, options in (("none", {}), ("cggm", {"preset": "stable", "rho": 1.0, "lam": 0.0})):
        net, method = build(kind, **options)
        train(net, method, optimizer_of(net, method), batches("abc", 5, 16))
        gradients.append([parameter.grad for parameter in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert all(parameter.grad.abs().sum() > 0 for parameter in method.parameters())


def test_the_classifiers_learn_as_in_unimodal_losses():
    """Guidance changes what reaches the encoders, never a classifier's own gradient, not even at w_i = 0."""
    gradients = []
    for kind, options in (("unimodal_losses", {}), ("cggm", {"preset": "stable"})):
        net, method = build(kind, **options)
        inputs, target = next(batches("abc", 1, 16))
        step = step_of(net, inputs, target)
        method.backward(functional.cross_entropy(step.logits, target), step)
        gradients.append([parameter.grad for parameter in method.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


def test_what_is_remembered_is_in_the_checkpoint():
    net, method = build("cggm", preset="stable")
    train(net, method, optimizer_of(net, method), batches("abc", 5, 16))
    other, fresh = build("cggm", preset="stable", seed=3)
    assert fresh.coefficients.steps.item() == 0
    other.load_state_dict(net.state_dict())
    fresh.load_state_dict(method.state_dict())
    ours, theirs = state(net, method), state(other, fresh)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert {"coefficients.own", "coefficients.fused", "coefficients.steps"} <= set(ours)
    assert method.coefficients.guidance().tolist() == fresh.coefficients.guidance().tolist()


@dataclass
class Pair:
    first: Tensor
    second: Tensor

    def map(self, function):
        return Pair(function(self.first), function(self.second))


def test_guided_features():
    """The same values; the gradient times the weight; through every tensor of an object; anything else is refused."""
    one, two = (torch.randn(3, requires_grad=True) for _ in range(2))
    read = guided(Pair(one, two), torch.tensor(0.25, dtype=torch.float64))
    assert torch.equal(read.first, one)
    assert read.first.dtype == torch.float32
    (read.first.sum() + 2 * read.second.sum()).backward()
    assert one.grad.tolist() == [0.25] * 3
    assert two.grad.tolist() == [0.5] * 3
    with pytest.raises(TypeError, match="features are list; preset 'stable' needs tensors, or objects with map"):
        guided([one], torch.tensor(0.25))
