"""Unimodal teachers: the distance written out, what it leaves alone, and how teachers come to know something."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from modulation_toy import Classifier, batches, build, step_of
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.modulations import UMT, Probe, Rehearsal, Step


def setting(names="abc", **options):
    """A network, its method with teachers that know something, and a step."""
    net, _ = build("none", names)
    method = UMT(dict(reversed(net.encoders.items())), {}, functional.cross_entropy, **options).double()
    others, _ = build("none", names, seed=9)
    if method.lam:
        method.teach(dict(others.encoders.items()))
    inputs, target = next(batches(names, 1, 8))
    return net, method, dict(others.encoders.items()), replace(step_of(net, inputs, target), inputs=inputs)


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_the_penalty_is_the_mean_squared_distance(names):
    _, method, teachers, step = setting(names, lam=0.3)
    distances = {
        name: functional.mse_loss(step.features[name], teachers[name](step.inputs[name])).detach() for name in names
    }
    torch.testing.assert_close(method.penalty(step), 0.3 * sum(distances.values()))
    record = method.modulate_(step)["teacher_distance"]
    assert list(record) == sorted(names)
    torch.testing.assert_close(record, distances)


def test_only_the_encoders_learn_from_it():
    net, method, teachers, step = setting()
    method.penalty(step).backward()
    assert all(p.grad is not None for encoder in net.encoders._modules.values() for p in encoder.parameters())
    assert all(p.grad is None for p in [*net.head.parameters(), *net.fusion.parameters(), *method.parameters()])
    assert not any(p.requires_grad for p in method.teachers.parameters())
    expected = torch.autograd.grad(
        10 * functional.mse_loss(net.encoders["b"](step.inputs["b"]), teachers["b"](step.inputs["b"]).detach()),
        list(net.encoders["b"].parameters()),
    )
    for parameter, gradient in zip(net.encoders["b"].parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_a_teacher_of_the_same_weights_pulls_nowhere():
    net, method, _, step = setting()
    method.teach(dict(net.encoders.items()))
    assert method.penalty(step).item() == 0


def test_the_encoders_do_not_change_their_teachers():
    net, method, _, step = setting()
    before = method.penalty(step).item()
    with torch.no_grad():
        for parameter in net.encoders["a"].parameters():
            parameter.add_(1)  # the same step, so the same features: only a shared teacher would differ
    assert method.penalty(step).item() == before


def test_teachers_stay_in_eval_mode():
    encoder = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5))
    method = UMT({"a": encoder, "b": copy.deepcopy(encoder)}, {}, functional.cross_entropy)
    method.teach({"a": encoder, "b": encoder})
    method.train()
    assert not any(module.training for module in method.teachers.modules())
    inputs = {name: torch.randn(6, 4) for name in "ab"}
    step = Step(
        {name: torch.zeros(6, 5) for name in "ab"}, torch.zeros(6, 5), torch.zeros(6, 3), torch.zeros(6), inputs=inputs
    )
    state = {name: value.clone() for name, value in method.state_dict().items()}
    assert method.penalty(step) == method.penalty(step)
    assert all(torch.equal(value, state[name]) for name, value in method.state_dict().items())


@dataclass(frozen=True)
class Values:
    """Features, or inputs, as the pipeline has them."""

    values: Tensor | list[Tensor]
    mask: Tensor | None = None
    present: Tensor | None = None

    def map(self, function):
        values = [function(v) for v in self.values] if isinstance(self.values, list) else function(self.values)
        return replace(self, values=values)


class Reader(nn.Module):
    """An encoder that scales what it reads."""

    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, given):
        return given.map(lambda values: self.scale * values)


def reading(inputs, factor=1.0):
    """The step of encoders that multiply by `factor`, under teachers that double."""
    method = UMT({name: Reader(2.0) for name in inputs}, {}, functional.cross_entropy, lam=1.0)
    method.teach({name: Reader(2.0) for name in inputs})
    features = {name: given.map(lambda values: factor * values) for name, given in inputs.items()}
    step = Step(features, torch.zeros(1), torch.zeros(4, 3), torch.zeros(4), inputs=inputs)
    return method.penalty(step).item()


def test_padding_and_absent_samples_count_for_nothing():
    tokens = torch.ones(4, 3, 2)
    tokens[0, 1:] = 100.0
    mask = torch.zeros(4, 3, dtype=torch.bool)
    mask[0, 1:] = True
    assert reading({"a": Values(tokens, mask), "b": Values(torch.ones(4, 5))}) == pytest.approx(2.0)
    vectors = torch.ones(4, 5)
    vectors[3] = float("nan")
    present = torch.tensor([True, True, True, False])
    assert reading({"a": Values(tokens, mask), "b": Values(vectors, None, present)}) == pytest.approx(1.75)
    all_padding = torch.ones(4, 3, dtype=torch.bool)
    assert reading({"a": Values(tokens, all_padding), "b": Values(torch.ones(4, 5))}) == pytest.approx(1.0)


def test_every_sample_counts_the_same_however_long():
    tokens, mask = torch.ones(2, 4, 1), torch.tensor([[False] * 4, [False, True, True, True]])
    tokens[1] = 3.0  # (1 + 9) / 2, and not the mean over the five real tokens, 13/5
    assert reading({"a": Values(tokens, mask), "b": Values(torch.zeros(2, 5))}) == pytest.approx(5.0)


def test_all_maps_of_a_pyramid_count_the_same():
    maps = [torch.ones(4, 2, 8, 8), 3 * torch.ones(4, 3, 2, 2)]
    assert reading({"a": Values(maps), "b": Values(torch.zeros(4, 5))}) == pytest.approx(5.0)


class Taught(Probe):
    """A rehearsal that gives back other encoders, and tells what was asked of it."""

    epochs = 12

    def __init__(self, encoders):
        self.encoders, self.asked = encoders, []

    def steps(self, split, share=1.0):
        raise AssertionError

    def rehearse(self, method, epochs):
        self.asked.append((method, epochs))
        return Rehearsal(self, method, self.encoders)


@pytest.mark.parametrize(("given", "epochs"), [(None, 12), (4, 4)])
def test_teachers_learn_once_before_the_first_epoch(given, epochs):
    net, other = build("none", "ab")[0], build("none", "ab", seed=9)[0]
    classifiers = {name: Classifier() for name in "ba"}
    method = UMT(dict(net.encoders.items()), classifiers, functional.cross_entropy, epochs=given)
    probe = Taught(dict(other.encoders.items()))
    method.start_epoch(0)
    assert not probe.asked
    for epoch in range(3):
        method.start_epoch(epoch, probe)
    assert [(type(each).__name__, number) for each, number in probe.asked] == [("Apart", epochs)]
    for name in "ab":
        for found, right in zip(method.teachers[name].parameters(), other.encoders[name].parameters(), strict=True):
            assert torch.equal(found, right)


def test_a_loaded_method_knows_that_it_was_taught():
    net, method, _, step = setting()
    fresh = UMT(dict(net.encoders.items()), {}, functional.cross_entropy).double()
    with pytest.raises(RuntimeError, match="learned nothing"):
        fresh.penalty(step)
    fresh.load_state_dict(method.state_dict())
    assert fresh.penalty(step) == method.penalty(step)
    probe = Taught({})
    fresh.start_epoch(1, probe)
    assert not probe.asked


def test_off_is_joint_training():
    _, method, _, step = setting(lam=0.0)
    probe = Taught({})
    method.start_epoch(0, probe)
    assert not probe.asked
    loss = step.logits.sum()
    assert method.objective(loss, step) == loss
    assert method.modulate_(step) == {}
    assert not list(method.parameters())


def test_refused():
    net, method, _, step = setting()
    with pytest.raises(ValueError, match=r"Step\(inputs"):
        method.penalty(replace(step, inputs=None))
    with pytest.raises(ValueError, match="shapes"):
        method.penalty(replace(step, features={name: value[:, 1:] for name, value in step.features.items()}))
    with pytest.raises(ValueError, match="teachers are"):
        method.teach({"a": net.encoders["a"]})
    with pytest.raises(ValueError, match="a classifier for each encoder"):
        UMT(dict(net.encoders.items()), {}, functional.cross_entropy).start_epoch(0, Taught({}))
    with pytest.raises(RuntimeError, match="call penalty before"):
        method.modulate_(step)
    for options in ({"lam": -1.0}, {"epochs": 0}):
        with pytest.raises(ValueError, match="allowed"):
            UMT({}, {}, functional.cross_entropy, **options)
