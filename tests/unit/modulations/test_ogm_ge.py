"""When OGM-GE acts, what it needs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from modulation_toy import batches, build, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import OGMGE, Parts, Step
from cggm_pipeline.modulations._unimodal import true_class_mass, unimodal_logits


@pytest.mark.parametrize(("epoch", "active"), [(0, False), (1, False), (2, True), (4, True), (5, False)])
def test_active_between_its_epochs(epoch, active):
    net, method = build("ogm_ge", start_epoch=2, end_epoch=4)
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target, epoch=epoch)
    functional.cross_entropy(step.logits, target).backward()
    before = [p.grad.clone() for p in net.encoders.parameters()]
    method.penalty(step)
    assert bool(method.modulate_(step)) == active
    same = all(torch.equal(b, p.grad) for b, p in zip(before, net.encoders.parameters(), strict=True))
    assert same != active


def test_a_step_whose_samples_do_not_count_is_in_no_mean():
    """A process without a sample of its own lends itself one."""
    records = []
    for lent in (False, True):
        net, method = build("ogm_ge", noise=False)
        (inputs, target), (others, theirs) = batches("abc", 2, 8)
        step = step_of(net, inputs, target)
        functional.cross_entropy(step.logits, target).backward()
        method.penalty(step)
        if lent:
            method.penalty(replace(step_of(net, others, theirs), samples=0))
        records.append(method.modulate_(step))
    assert records[0] == records[1]


def test_head_and_fusion_are_left_alone():
    net, method = build("ogm_ge")
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target)
    functional.cross_entropy(step.logits, target).backward()
    before = [p.grad.clone() for part in (net.fusion, net.head) for p in part.parameters()]
    method.penalty(step)
    method.modulate_(step)
    after = [p.grad for part in (net.fusion, net.head) for p in part.parameters()]
    assert all(torch.equal(b, a) for b, a in zip(before, after, strict=True))


def test_one_by_one_convolution_with_blocks():
    """Per-pixel classes: u_m = W_m z_m + b/M holds in every pixel, so the partial logits add up to the logits."""
    torch.manual_seed(0)
    encoders = {"a": nn.Conv2d(1, 2, 3, padding=1), "b": nn.Conv2d(1, 3, 3, padding=1)}
    head, x, target = nn.Conv2d(5, 4, 1), torch.randn(2, 1, 6, 6), torch.randint(4, (2, 6, 6))
    features = {n: encoder(x) for n, encoder in encoders.items()}
    fused = torch.cat(list(features.values()), 1)
    method = OGMGE(Parts(encoders), head, noise=False)
    step = Step(features, fused, head(fused), target)
    torch.testing.assert_close(sum(unimodal_logits(head, ["a", "b"], step)), step.logits)
    record = method.backward(functional.cross_entropy(step.logits, target), step)
    assert all(0 < score.item() < 1 for score in record["score"].values())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_the_true_class_mass_of_a_coarse_map_is_that_of_its_pixels(dtype):
    """s_m = sum over pixels of softmax(u_m)[y], of u_m as large as the mask: bilinear between pixel centres."""
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 3, 5), torch.randint(3, (2, 12, 20), dtype=dtype)
    large = functional.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False).softmax(1)
    expected = sum(
        large[sample, target[sample, row, column].long(), row, column]
        for sample in range(2)
        for row in range(12)
        for column in range(20)
    )
    assert true_class_mass(logits, target).item() == pytest.approx(expected.item(), rel=1e-5)
    constant = torch.zeros(2, 3, 1, 1)
    assert true_class_mass(constant, target).item() == pytest.approx(target.numel() / 3)


def test_refused():
    parts, head = Parts({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}), nn.Linear(3, 2)
    with pytest.raises(ValueError, match="form is 'paper'; allowed: cvpr22, tpami24"):
        OGMGE(parts, head, form="paper")
    with pytest.raises(ValueError, match="balancing needs at least 2"):
        OGMGE(Parts({"a": nn.Linear(2, 2)}), head)
    with pytest.raises(ValueError, match="allowed is one nn"):
        OGMGE(parts, nn.ReLU())
    method, z = OGMGE(parts, head), torch.zeros(1, 3)
    step = Step({"a": torch.zeros(1, 2), "b": torch.zeros(1, 2)}, z, head(z), torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"needs each modality's own logits: give Step\(blocks=...\)"):
        method.penalty(step)
    with pytest.raises(RuntimeError, match="call penalty before backward"):
        method.modulate_(step)
