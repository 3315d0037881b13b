"""MBSD against its equation written out with Python's numbers, and what its divergence is."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from modulation_toy import Net, batches, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import MBSD, Step
from cggm_pipeline.modulations.mbsd import disagreement


def softmax(logits):
    top = [math.exp(x - max(logits)) for x in logits]
    return [x / sum(top) for x in top]


def written_out(one, other, target):
    total = 0.0
    for a, b, y in zip(one, other, target, strict=True):
        p, q = softmax(a), softmax(b)
        right = a.index(max(a)) == y or b.index(max(b)) == y
        strong, weak = (p, q) if p[y] >= q[y] else (q, p)
        apart = sum((x - z) ** 2 for x, z in zip(p, q, strict=True)) / len(p)
        divergence = sum(w * math.log(w / s) for w, s in zip(weak, strong, strict=True))
        total += right * abs(p[y] - q[y]) * (apart + divergence)
    return total / len(target)


def test_disagreement_is_the_equation():
    torch.manual_seed(0)
    one, other, target = torch.randn(20, 4).double(), torch.randn(20, 4).double(), torch.randint(4, (20,))
    expected = written_out(one.tolist(), other.tolist(), target.tolist())
    assert disagreement(one, other, target).item() == pytest.approx(expected, rel=1e-12)
    assert disagreement(other, one, target).item() == pytest.approx(expected, rel=1e-12)


def test_disagreement_on_maps_is_that_of_the_pixels():
    torch.manual_seed(0)
    one, other, target = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    rows = [logits.movedim(1, -1).reshape(-1, 3) for logits in (one, other)]
    torch.testing.assert_close(disagreement(one, other, target), disagreement(*rows, target.flatten()))


def test_closed_forms():
    """Modalities that agree, and samples that neither has right, ask for nothing."""
    one, target = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0])
    assert disagreement(one, one.clone(), target).item() == 0
    assert disagreement(one, 2 * one, torch.tensor([1])).item() == 0
    flat = torch.zeros(1, 3)
    p = math.exp(2) / (math.exp(2) + 2)
    kl = -math.log(3) - (math.log(p) + 2 * math.log((1 - p) / 2)) / 3
    assert disagreement(one, flat, target).item() == pytest.approx(
        (p - 1 / 3) * (((p - 1 / 3) ** 2 + 2 * ((1 - p) / 2 - 1 / 3) ** 2) / 3 + kl), rel=1e-5
    )


def test_disagreement_is_never_a_reward():
    """The benchmark's p_w log(p_w/p_s), of the true class alone, would be one: it is never above zero."""
    torch.manual_seed(0)
    one, other, target = torch.randn(50, 3), torch.randn(50, 3), torch.zeros(50, dtype=torch.long)
    found = torch.stack([disagreement(one[i : i + 1], other[i : i + 1], target[:1]) for i in range(50)])
    assert (found >= 0).all()
    assert (found > 0).sum() > 20
    p, q = one.softmax(1)[:, 0], other.softmax(1)[:, 0]
    weak, strong = torch.minimum(p, q), torch.maximum(p, q)
    assert (weak * (weak / strong).log() < 0).all()


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_the_penalty_is_the_modalities_losses_and_the_mean_over_pairs(names):
    torch.manual_seed(0)
    net = Net(sorted(names)).double()
    method = MBSD(net.head, functional.cross_entropy)
    inputs, target = next(batches(names, 1, 8))
    step = step_of(net, inputs, target)
    own = {n: step.rerun(set(names) - {n}) for n in names}
    losses = {n: functional.cross_entropy(u, target) for n, u in own.items()}
    pairs = [written_out(own[a].tolist(), own[b].tolist(), target.tolist()) for a, b in combinations(names, 2)]
    found = method.penalty(step)
    assert found.item() == pytest.approx(sum(losses.values()).item() + sum(pairs) / len(pairs), rel=1e-12)
    found.backward()
    assert all(p.grad is not None and p.grad.any() for p in net.encoders.parameters())
    record = method.modulate_(step)
    assert {n: v.item() for n, v in record["unimodal_loss"].items()} == {n: v.item() for n, v in losses.items()}
    assert record["disagreement"].item() == pytest.approx(sum(pairs) / len(pairs))


def test_logits_are_read_from_the_heads_blocks():
    torch.manual_seed(0)
    features, head = {"a": torch.randn(4, 2), "b": torch.randn(4, 3)}, nn.Linear(5, 3)
    fused, target = torch.cat(list(features.values()), 1), torch.randint(3, (4,))
    step = Step(features, fused, head(fused), target, blocks={"a": slice(0, 2), "b": slice(2, 5)})
    own = [features["a"] @ head.weight[:, :2].T + head.bias / 2, features["b"] @ head.weight[:, 2:].T + head.bias / 2]
    expected = sum(functional.cross_entropy(u, target) for u in own) + disagreement(*own, target)
    torch.testing.assert_close(MBSD(head, functional.cross_entropy).penalty(step), expected)


def test_refused():
    with pytest.raises(ValueError, match="allowed is one nn"):
        MBSD(nn.ReLU(), functional.cross_entropy)
    method, z = MBSD(nn.Linear(3, 2), functional.cross_entropy), torch.zeros(1, 3)
    step = Step(
        {"a": torch.zeros(1, 2), "b": torch.zeros(1, 2)}, z, torch.zeros(1, 2), torch.zeros(1, dtype=torch.long)
    )
    with pytest.raises(ValueError, match="needs each modality's own logits"):
        method.penalty(step)
    with pytest.raises(RuntimeError, match="call penalty before backward"):
        method.modulate_(step)
