"""The differences that docs/paper-vs-code.md lists, seen at work."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import batches, build, optimizer_of, step_of
from torch.nn import functional

from cggm_pipeline.modulations._paper import GainRatio


def gradients(preset, lam, steps=2):
    """The network's gradients of each step, the optimiser standing still: (step, name) to gradient."""
    net, method = build("cggm", preset=preset, lam=lam, rho=1.3)
    optimizer = optimizer_of(net, method, lr=0.0)
    found = {}
    for number, (inputs, target) in enumerate(batches("abc", steps, 8)):
        step = step_of(net, inputs, target)
        optimizer.zero_grad()
        method.backward(functional.cross_entropy(step.logits, target), step)
        found |= {(number, name): p.grad.clone() for name, p in net.named_parameters()}
    return found


def touched(preset):
    """What the direction term changes, by step."""
    without, along = gradients(preset, 0.0), gradients(preset, 0.5)
    return {key for key in without if not torch.equal(without[key], along[key])}


def test_released_is_one_step_late_and_reaches_the_heads_weight_alone():
    assert touched("released") == {(1, "head.weight")}


def test_paper_acts_at_once_and_reaches_every_parameter():
    names = dict(build("cggm", preset="paper")[0].named_parameters())
    assert touched("paper") == {(step, name) for step in (0, 1) for name in names}


@pytest.mark.parametrize("modalities", [2, 3])
def test_b_is_negative_in_half_of_the_steps(modalities):
    """Two classifiers of 60 % accuracy on batches of 64: some B < 0 in half of the steps."""
    generator = torch.Generator().manual_seed(0)
    ratio, negative, huge, steps = GainRatio(modalities, torch.device("cpu")), 0, 0, 2000
    for _ in range(steps):
        right = (torch.rand(modalities, 64, generator=generator) < 0.6).sum(1).double() / 64
        b = ratio(right)
        ratio.advance_(right, right.mean())
        negative += bool((b < 0).any())
        huge += bool((b.abs() > 1e5).any())
    assert 0.4 < negative / steps < 0.7
    assert 0.02 < huge / steps < 0.08


def test_ogm_ge_touches_linear_layers():
    """The authors' code changes four-dimensional tensors only, and would leave this network as it is."""
    net, method = build("ogm_ge", form="cvpr22")
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target)
    functional.cross_entropy(step.logits, target).backward()
    before = [p.grad.clone() for p in net.encoders.parameters()]
    method.penalty(step)
    method.modulate_(step)
    assert all(not torch.equal(b, p.grad) for b, p in zip(before, net.encoders.parameters(), strict=True))
