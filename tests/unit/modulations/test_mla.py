"""MLA against recursive least squares written out, and what it promises about the head."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cggm_pipeline.modulations import MLA, Step

WIDTH, CLASSES = 5, 3


def head_of(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(WIDTH, CLASSES).double()


def features_of(seed, size=6, names=("a", "b")):
    generator = torch.Generator().manual_seed(seed)
    found = {n: torch.randn(size, WIDTH, generator=generator, dtype=torch.float64).requires_grad_() for n in names}
    return found, torch.randint(CLASSES, (size,), generator=generator)


def step_of(head, features, target, name, **more):
    fused = torch.stack(list(features.values())).mean(0)
    active = None if name is None else frozenset({name})
    return Step(features, fused, head(fused), target, active=active, **more)


def turn(method, head, seed, name):
    """One turn's gradients on fresh features; returns them and the mean feature."""
    features, target = features_of(seed)
    head.zero_grad()
    step = step_of(head, features, target, name)
    method.backward(cross_entropy(step.logits, target), step)
    return head.weight.grad.clone(), features[name].detach().mean(0)


def plain_gradient(head, seed, name):
    features, target = features_of(seed)
    (gradient,) = torch.autograd.grad(cross_entropy(head(features[name]), target), [head.weight])
    return gradient


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_the_heads_gradient_is_projected_by_recursive_least_squares(alpha):
    """P after t turns is the inverse of I + sum r^T r / alpha (Woodbury): solved afresh, without the recursion."""
    head = head_of()
    method = MLA(head, cross_entropy, alpha=alpha).double()
    information = torch.eye(WIDTH, dtype=torch.float64)
    for number in range(7):
        found, mean = turn(method, head, number, "ab"[number % 2])
        expected = plain_gradient(head, number, "ab"[number % 2]) @ torch.linalg.inv(information)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        information += torch.outer(mean, mean) / alpha


def test_the_projection_is_symmetric_and_forgets_nothing_that_was_taught():
    """alpha -> 0: P r = 0, so a step of the head leaves what it says about the last turn's mean feature as it was."""
    head = head_of()
    method = MLA(head, cross_entropy, alpha=1e-9).double()
    _, mean = turn(method, head, 1, "a")
    before = head.weight @ mean
    gradient, _ = turn(method, head, 2, "b")
    assert gradient.abs().max() > 1e-3, "the head still learns"
    assert (method.projection @ mean).abs().max() < 1e-7
    torch.testing.assert_close(method.projection, method.projection.T)
    torch.testing.assert_close((head.weight - 0.5 * gradient) @ mean, before, rtol=1e-6, atol=1e-6)


def test_the_first_turn_is_not_projected_and_released_never_is():
    head = head_of()
    first, _ = turn(MLA(head, cross_entropy).double(), head, 0, "a")
    assert torch.equal(first, plain_gradient(head, 0, "a"))
    released = MLA(head, cross_entropy, form="released").double()
    for number in range(3):
        found, _ = turn(released, head, number, "ab"[number % 2])
        assert torch.equal(found, plain_gradient(head, number, "ab"[number % 2]))
    assert torch.equal(released.projection, torch.eye(WIDTH, dtype=torch.float64))


def test_only_the_turns_modality_gets_a_gradient_and_its_is_the_plain_one():
    head, method = head_of(), MLA(head_of(), cross_entropy).double()
    features, target = features_of(3)
    step = step_of(head, features, target, "b")
    method.backward(cross_entropy(step.logits, target), step)
    assert features["a"].grad is None
    (expected,) = torch.autograd.grad(cross_entropy(head(features["b"]), target), [features["b"]])
    torch.testing.assert_close(features["b"].grad, expected)


def test_a_step_of_all_is_the_tasks_loss_and_remembers_nothing():
    head = head_of()
    method = MLA(head, cross_entropy).double()
    features, target = features_of(4)
    step = step_of(head, features, target, None)
    loss = cross_entropy(step.logits, target)
    assert method.objective(loss, step) is loss
    assert method.modulate_(step) == {}
    assert not method.previous.any()


def test_micro_batches_make_the_mean_of_all_samples_and_an_empty_share_counts_nothing():
    head = head_of()
    method = MLA(head, cross_entropy).double()
    features, target = features_of(5)
    for rows, samples in ((slice(0, 4), None), (slice(4, 6), None), (slice(0, 1), 0)):
        part = {name: value[rows] for name, value in features.items()}
        step = step_of(head, part, target[rows], "a", samples=samples)
        method.objective(cross_entropy(step.logits, target[rows]), step).backward()
    method.modulate_(step)
    torch.testing.assert_close(method.previous, features["a"].detach().mean(0))


def test_it_says_what_is_wrong():
    head = head_of()
    with pytest.raises(ValueError, match="alpha is 0"):
        MLA(head, cross_entropy, alpha=0)
    with pytest.raises(ValueError, match="allowed: paper, released"):
        MLA(head, cross_entropy, form="code")
    features, target = features_of(0)
    method = MLA(head, cross_entropy).double()
    with pytest.raises(ValueError, match="allowed: one of a, b"):
        method.objective(torch.zeros(()), step_of(head, features, target, "c"))
    with pytest.raises(RuntimeError, match="without objective"):
        method.modulate_(step_of(head, features, target, "a"))
    wide = {"a": torch.zeros(6, 2)}
    with pytest.raises(ValueError, match=r"reads \(B, 5\)"):
        method.objective(torch.zeros(()), Step(wide, wide["a"], target, target, active=frozenset("a")))
