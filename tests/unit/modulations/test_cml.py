"""CML against its equation written out sample by sample, closed forms, and the order of removal."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from modulation_toy import Net, batches, step_of
from torch.nn import functional

from cggm_pipeline.modulations import CML, Step
from cggm_pipeline.modulations.cml import confidence, removal_order


def written_out(step, lam):
    """Every sample and every subset by itself."""
    order = removal_order(step)
    subsets = [step.rerun(order[:count]) for count in range(len(order))]
    total = 0.0
    for logits in subsets:
        total += sum(-logits[i].log_softmax(0)[y] for i, y in enumerate(step.target)) / len(step.target) / len(order)
    for larger, smaller in pairwise(subsets):
        for i in range(len(step.target)):
            rise = max(smaller[i].softmax(0)) - max(larger[i].softmax(0))
            total += lam * max(rise, 0 * rise) / len(step.target)
    return total


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_loss_and_gradients_are_the_equations(names):
    torch.manual_seed(0)
    net, method = Net(sorted(names)).double(), CML(functional.cross_entropy, lam=0.7)
    for index, (inputs, target) in enumerate(batches(names, 3, 6)):
        step = step_of(net, inputs, target, index=index)
        expected = written_out(step, 0.7)
        right = torch.autograd.grad(expected, list(net.parameters()), retain_graph=True)
        found = method.objective(functional.cross_entropy(step.logits, target), step)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)
        for one, other in zip(torch.autograd.grad(found, list(net.parameters())), right, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-14)


def fixed(full, alone):
    """Two modalities, and logits that do not depend on which of them is left."""
    features = {"a": torch.zeros(len(full), 1), "b": torch.zeros(len(full), 1)}
    target = torch.zeros(len(full), dtype=torch.long)
    return Step(features, full, full, target, rerun=lambda names: alone if names else full)


def test_closed_forms():
    """From a uniform to a certain prediction the rise is 1 - 1/C, the other way round there is none."""
    flat, sure = torch.zeros(4, 5), 100 * functional.one_hot(torch.arange(4), 5).float()
    method = CML(functional.cross_entropy, lam=2.0)
    step = fixed(flat, sure)
    loss, alone = functional.cross_entropy(flat, step.target), functional.cross_entropy(sure, step.target)
    assert method.objective(loss, step).item() == pytest.approx((loss + alone).item() / 2 + 2.0 * 0.8)
    assert method.modulate_(step)["confidence_rise"].item() == pytest.approx(0.8)
    assert method.objective(alone, fixed(sure, flat)).item() == pytest.approx((loss + alone).item() / 2)
    assert method.modulate_(step)["confidence_rise"].item() == 0


def test_the_hinge_is_each_samples_own():
    """One sample's rise is not paid for by another one's fall: in the benchmark the two cancel."""
    flat, sure = torch.zeros(1, 2), torch.tensor([[100.0, 0.0]])
    method = CML(functional.cross_entropy, lam=1.0)
    step = fixed(torch.cat([flat, sure]), torch.cat([sure, flat]))
    method.objective(torch.tensor(0.0), step)
    assert method.modulate_(step)["confidence_rise"].item() == pytest.approx(0.25)


def test_the_order_is_drawn_anew_and_is_the_same_wherever_the_step_is_the_same():
    step = fixed(torch.zeros(1, 2), torch.zeros(1, 2))
    step = replace(step, features=dict.fromkeys("cab", torch.zeros(1)))
    turned = replace(step, features=dict.fromkeys("bca", torch.zeros(1)))
    drawn = Counter()
    for epoch in range(4):
        for index in range(150):
            here = removal_order(replace(step, epoch=epoch, index=index))
            assert here == removal_order(replace(turned, epoch=epoch, index=index))
            drawn["".join(here)] += 1
    assert len(drawn) == 6
    assert all(60 <= count <= 140 for count in drawn.values())


def test_confidence_of_maps_is_each_pixels():
    logits = torch.randn(2, 3, 4, 5)
    assert torch.equal(confidence(logits), logits.softmax(1).max(1).values)
    assert confidence(logits.half()).dtype == torch.float32


def test_refused():
    with pytest.raises(ValueError, match="lam is -1; allowed: at least 0"):
        CML(functional.cross_entropy, lam=-1)
    method, step = CML(functional.cross_entropy), replace(fixed(torch.zeros(1, 2), torch.zeros(1, 2)), rerun=None)
    with pytest.raises(ValueError, match="rerun"):
        method.objective(torch.tensor(0.0), step)
    with pytest.raises(RuntimeError, match="call objective before backward"):
        method.modulate_(step)
