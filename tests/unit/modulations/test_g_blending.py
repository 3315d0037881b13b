"""Gradient blending: weights against the paper's formula written out, estimates of a scripted probe, guards."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from modulation_toy import Classifier, batches, build, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import GBlending, Probe, Rehearsal, Step
from cggm_pipeline.modulations.g_blending import blend

FLOOR = 1e-4


def losses(train, valid):
    return {"train": torch.tensor(train, dtype=torch.float64), "valid": torch.tensor(valid, dtype=torch.float64)}


TABLE = [
    # (train, valid) before, (train, valid) after: per head; the joint head last
    (losses([2.3, 2.3, 2.3], [2.4, 2.4, 2.4]), losses([1.0, 1.6, 0.4], [1.5, 1.9, 1.4])),
    (losses([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), losses([0.5, 0.2, 0.1], [0.8, 0.9, 0.5])),
    (losses([1.2, 0.8, 0.9, 1.1], [1.3, 1.0, 1.2, 1.1]), losses([0.7, 0.4, 0.8, 0.2], [1.2, 0.7, 1.0, 0.9])),
]


@pytest.mark.parametrize(("before", "after"), TABLE)
def test_weights_are_those_of_the_papers_formula(before, after):
    """Restated with arrays: O = L_V - L_T, dG = the fall of L_V, w = dG / dO^2 over their sum."""
    (train, valid), (train_after, valid_after) = (
        [each[s].numpy() for s in ("train", "valid")] for each in (before, after)
    )
    overfitting, generalised = (valid_after - train_after) - (valid - train), valid - valid_after
    assert (generalised > FLOOR).all()
    assert (abs(overfitting) > FLOOR).all()
    ratio = generalised / overfitting**2
    np.testing.assert_allclose(blend(before, after, FLOOR), ratio / ratio.sum(), rtol=1e-12)


def test_the_order_of_heads_goes_through():
    before, after = TABLE[2]
    expected = blend(before, after, FLOOR)
    for order in itertools.permutations(range(4)):
        shuffled = [{split: values[list(order)] for split, values in each.items()} for each in (before, after)]
        np.testing.assert_allclose(blend(*shuffled, FLOOR), [expected[k] for k in order], rtol=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # the first head's validation loss grows: its gain counts as the floor, its weight is never negative
        (losses([1, 1], [1, 1]), losses([0.5, 0.5], [2, 0.9]), [1e-4 / 1.5**2, 0.1 / 0.4**2]),
        # neither gap moves: dO is the floor, so that the gains decide
        (losses([1, 1], [2, 2]), losses([0.5, 0.75], [1.5, 1.75]), [2, 1]),
        # nothing changes: equal
        (losses([1, 1], [1, 1]), losses([1, 1], [1, 1]), [1, 1]),
        # a copy that diverged counts for nothing; if all did, equal
        (losses([1, 1], [1, 1]), losses([float("nan"), 0.5], [float("inf"), 0.9]), [0, 1]),
        (losses([1, 1], [1, 1]), losses([float("nan")] * 2, [float("nan")] * 2), [1, 1]),
    ],
)
def test_guards(before, after, expected):
    found = blend(before, after, FLOOR)
    assert found.sum().item() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found, np.array(expected) / sum(expected), rtol=1e-9)


class Scripted(Probe):
    """A network whose heads have the losses that it is told: `now` on both splits, and after each rehearsal `later`."""

    def __init__(self, epochs, now, later):
        self.epochs, self.now, self.later, self.rehearsed = epochs, now, later, []

    def steps(self, split, share=1.0):
        factors = {"train": (1, 1), "valid": (2 / 3, 2)}[split]
        for count, factor in zip((3, 1), factors, strict=True):  # the mean over samples is 1, over batches it is not
            values = {name: torch.full((count, 1), value * factor) for name, value in self.now[split].items()}
            joint = values.pop("joint")
            yield Step(values, joint, joint, torch.zeros(count))

    def rehearse(self, method, epochs):
        self.rehearsed.append((type(method).__name__, epochs))
        return Rehearsal(Scripted(epochs, self.later[len(self.rehearsed) - 1], []), method, {})


def scripted(epochs=7):
    now = {"train": {"a": 1.0, "b": 1.2, "joint": 1.1}, "valid": {"a": 1.1, "b": 1.3, "joint": 1.3}}
    alone = {"train": {"a": 0.5, "b": 0.6, "joint": 9.0}, "valid": {"a": 0.8, "b": 1.2, "joint": 9.0}}
    together = {"train": {"a": 9.0, "b": 9.0, "joint": 0.2}, "valid": {"a": 9.0, "b": 9.0, "joint": 0.9}}
    return Scripted(epochs, now, [alone, together] * 9)


def method_of(**options):
    return GBlending({"b": nn.Identity(), "a": nn.Identity()}, lambda logits, target: logits.mean(), **options)


def test_an_estimate_reads_each_head_from_its_own_rehearsal():
    method, probe = method_of(), scripted()
    method.start_epoch(0, probe)
    assert probe.rehearsed == [("Apart", 7), ("NoModulation", 7)]
    before = losses([1.0, 1.2, 1.1], [1.1, 1.3, 1.3])
    after = losses([0.5, 0.6, 0.2], [0.8, 1.2, 0.9])
    torch.testing.assert_close(method.weights, blend(before, after, FLOOR).float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "offline"}, {0: 7}),
        ({"mode": "offline", "super_epoch": 2}, {0: 7}),
        ({"super_epoch": 3}, {0: 3, 3: 3, 6: 1}),
        ({"super_epoch": 1}, dict.fromkeys(range(7), 1)),
        ({}, {0: 7}),
    ],
)
def test_when_and_for_how_long_copies_are_trained(options, expected):
    method, found = method_of(**options), {}
    for epoch in range(7):
        probe = scripted()
        method.start_epoch(epoch, probe)
        if probe.rehearsed:
            assert probe.rehearsed[0][1] == probe.rehearsed[1][1]
            found[epoch] = probe.rehearsed[0][1]
    assert found == expected


def test_without_a_probe_nothing_happens():
    method = method_of()
    method.weights.copy_(torch.tensor([0.2, 0.3, 0.5]))
    method.start_epoch(0)
    assert torch.equal(method.weights, torch.tensor([0.2, 0.3, 0.5]))


def test_an_estimate_leaves_the_mode_and_builds_no_graph():
    method = method_of()
    method.train()
    method.start_epoch(0, scripted())
    assert method.training
    assert not method.weights.requires_grad


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_the_objective_is_the_weighted_sum(names):
    net, _ = build("none", names)
    classifiers = {name: Classifier().double() for name in names}
    method = GBlending({name: classifiers[name] for name in reversed(names)}, functional.cross_entropy).double()
    weights = torch.arange(1, len(names) + 2).double()
    method.weights.copy_(weights / weights.sum())
    inputs, target = next(batches(names, 1, 8))
    step = step_of(net, inputs, target)
    own = [functional.cross_entropy(classifiers[name](step.features[name]), target) for name in names]
    loss = functional.cross_entropy(step.logits, target)
    expected = sum(w * each for w, each in zip(method.weights, [*own, loss], strict=True))
    torch.testing.assert_close(method.objective(loss, step), expected)
    record = method.modulate_(step)
    assert list(record["weight"]) == sorted(names)
    torch.testing.assert_close(torch.stack(list(record["weight"].values())), method.weights[:-1])
    torch.testing.assert_close(record["joint_weight"], method.weights[-1])
    assert {n: v.item() for n, v in record["unimodal_loss"].items()} == {
        n: v.item() for n, v in zip(names, own, strict=True)
    }


def test_equal_weights_are_unimodal_losses_over_the_number_of_heads():
    net, baseline = build("unimodal_losses", "ab")
    method = GBlending(dict(baseline.classifiers._modules), functional.cross_entropy).double()
    inputs, target = next(batches("ab", 1, 8))
    step = step_of(net, inputs, target)
    loss = functional.cross_entropy(step.logits, target)
    torch.testing.assert_close(method.objective(loss, step), (loss + baseline.penalty(step)) / 3)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"mode": "never"}, "offline, online"), ({"super_epoch": 0}, "at least 1"), ({"floor": 0}, "0")],
)
def test_refused(options, match):
    with pytest.raises(ValueError, match=match):
        method_of(**options)


def test_refused_without_a_second_modality_or_out_of_order():
    with pytest.raises(ValueError, match="2 or more"):
        GBlending({"a": nn.Identity()}, functional.cross_entropy)
    with pytest.raises(RuntimeError, match="call objective before"):
        method_of().modulate_(next(scripted().steps("train")))
