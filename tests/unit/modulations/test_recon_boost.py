"""ReconBoost against its loss written out sample by sample."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cggm_pipeline.modulations import Parts, ReconBoost, Step

CLASSES, WIDTHS = 4, {"a": 2, "b": 3, "c": 2}


def problem(names=("a", "b", "c"), seed=0, size=5):
    torch.manual_seed(seed)
    features = {n: torch.randn(size, WIDTHS[n], dtype=torch.float64).requires_grad_() for n in names}
    head = nn.Linear(sum(WIDTHS[n] for n in names), CLASSES).double()
    parts = Parts({n: nn.Linear(1, 1) for n in names})
    return features, head, parts, torch.arange(size) % CLASSES


def step_of(features, head, target, name):
    fused = torch.cat([features[n] for n in sorted(features)], 1)
    ends, blocks = 0, {}
    for n in sorted(features):
        blocks[n] = slice(ends, ends + features[n].shape[1])
        ends = blocks[n].stop
    active = None if name is None else frozenset({name})
    return Step(features, fused, head(fused), target, blocks=blocks, active=active)


def unimodal(features, head):
    found, start = {}, 0
    for n in sorted(features):
        stop = start + features[n].shape[1]
        found[n] = features[n] @ head.weight[:, start:stop].T + head.bias / len(features)
        start = stop
    return found


def by_hand(features, head, target, name, before, w1=5.0, w2=1.0, alpha=0.5):
    """One sample and one class after the other, in plain Python."""
    u = {n: v.tolist() for n, v in unimodal(features, head).items()}
    names, total, apart = sorted(features), 0.0, 0.0

    def softmax(row):
        top = max(row)
        powers = [math.exp(value - top) for value in row]
        return [power / sum(powers) for power in powers]

    for i, y in enumerate(target.tolist()):
        others = softmax([sum(u[n][i][k] for n in names if n != name) for k in range(CLASSES)])
        own, previous = softmax(u[name][i]), softmax(u[before][i])
        for k in range(CLASSES):
            wanted = w1 * (k == y) - w2 * (k == y) * others[k]
            total -= wanted * math.log(own[k]) / CLASSES
            apart += (own[k] - previous[k]) ** 2 / CLASSES
    return (total + alpha * apart) / len(target)


@pytest.mark.parametrize(("name", "before"), [("a", "c"), ("b", "a"), ("c", "b")])
def test_the_turns_loss(name, before):
    features, head, parts, target = problem()
    step = step_of(features, head, target, name)
    found = ReconBoost(parts, head).objective(torch.zeros(()), step)
    assert found.item() == pytest.approx(by_hand(features, head, target, name, before), rel=1e-9)


@pytest.mark.parametrize("weights", [(1.0, 0.25, 0.0), (2.0, 0.0, 3.0)])
def test_its_weights(weights):
    features, head, parts, target = problem(("a", "b"))
    names = ("target_weight", "ensemble_weight", "agreement")
    method = ReconBoost(parts, head, **dict(zip(names, weights, strict=True)))
    found = method.objective(torch.zeros(()), step_of(features, head, target, "a"))
    assert found.item() == pytest.approx(by_hand(features, head, target, "a", "b", *weights), rel=1e-5)


def gradients(form, agreement):
    features, head, parts, target = problem()
    method = ReconBoost(parts, head, agreement=agreement, form=form)
    method.objective(torch.zeros(()), step_of(features, head, target, "b")).backward()
    return {name: value.grad for name, value in features.items()}, head.weight.grad


def test_agreement_has_a_gradient_in_the_paper_and_none_in_the_released_code():
    without, _ = gradients("paper", 0.0)
    paper, _ = gradients("paper", 0.5)
    released, _ = gradients("released", 0.5)
    assert not torch.allclose(paper["b"], without["b"])
    assert torch.equal(released["b"], without["b"])


def test_only_the_turns_modality_and_its_block_learn():
    found, weight = gradients("paper", 0.5)
    assert found["b"].abs().sum() > 0
    assert not found["a"].any()
    assert not found["c"].any()
    assert weight[:, 2:5].abs().sum() > 0
    assert not weight[:, :2].any()
    assert not weight[:, 5:].any()


def test_encoders_out_of_turn_have_no_gradient_afterwards():
    """Zeros would let momentum and weight decay move them."""
    features, head, parts, target = problem()
    for name in parts.names:
        for parameter in parts.parameters(name):
            parameter.grad = torch.zeros_like(parameter)
    method = ReconBoost(parts, head)
    step = step_of(features, head, target, "b")
    method.backward(cross_entropy(step.logits, target), step)
    assert {name: len(parts.gradients(name)) for name in parts.names} == {"a": 0, "b": 2, "c": 0}


def test_what_the_others_know_is_learned_less():
    """The better the others on a sample, the smaller its weight: between (w1 - w2) / C and w1 / C."""
    features, head, parts, target = problem(("a", "b"), size=4)
    with torch.no_grad():
        features["b"].zero_()
        head.weight.zero_()
        head.bias.zero_()
        features["b"][0] = 1
        head.weight[0, 2:] = 30  # of the first sample (class 0) the other modality is certain
    method = ReconBoost(parts, head)
    others = unimodal(features, head)["b"].detach()
    found = method._boosting(torch.zeros(4, CLASSES, dtype=torch.float64), others, target)
    known = torch.tensor([1.0, *[1 / CLASSES] * 3])
    assert found.item() == pytest.approx(((5 - known) / CLASSES).mean().item() * math.log(CLASSES), rel=1e-4)


def test_rectification_is_the_tasks_loss():
    features, head, parts, target = problem()
    step = step_of(features, head, target, None)
    loss = cross_entropy(step.logits, target)
    method = ReconBoost(parts, head)
    assert method.objective(loss, step) is loss
    assert method.modulate_(step) == {}


def test_the_order_of_modalities_does_not_matter_and_records_are_the_turns():
    features, head, parts, target = problem()
    turned = Parts({n: nn.Linear(1, 1) for n in ("c", "a", "b")})
    step = step_of(features, head, target, "a")
    one, other = ReconBoost(parts, head), ReconBoost(turned, head)
    assert torch.equal(one.objective(torch.zeros(()), step), other.objective(torch.zeros(()), step))
    record = one.modulate_(step)
    assert {name: set(value) for name, value in record.items()} == {"boosting_loss": {"a"}, "disagreement": {"a"}}


def test_it_says_what_is_wrong():
    features, head, parts, target = problem()
    with pytest.raises(ValueError, match="allowed: paper, released"):
        ReconBoost(parts, head, form="code")
    with pytest.raises(ValueError, match="at least 2"):
        ReconBoost(Parts({"a": nn.Linear(1, 1)}), head)
    step = step_of(features, head, target, "a")
    with pytest.raises(RuntimeError, match="without objective"):
        ReconBoost(parts, head).modulate_(step)
    both = Step(step.features, step.fused, step.logits, target, blocks=step.blocks, active=frozenset("ab"))
    with pytest.raises(ValueError, match=r"\['a', 'b'\]; allowed: one of a, b, c"):
        ReconBoost(parts, head).objective(torch.zeros(()), both)
