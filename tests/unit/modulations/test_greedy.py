"""Greedy against a plain restatement with host numbers and ifs, on an MMTM that is trained."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cggm_pipeline.fusions.mmtm import MMTM
from cggm_pipeline.layers.features import Features
from cggm_pipeline.modulations import Greedy, Parts, Step

CLASSES, WIDTHS, INPUTS = 3, {"a": 4, "b": 6}, 5


class Net(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.a, self.b = nn.Linear(INPUTS, WIDTHS["a"]), nn.Linear(INPUTS, WIDTHS["b"])
        self.fusion, self.head = MMTM(WIDTHS, ratio=2.0), nn.Linear(10, CLASSES)
        self.double()

    def forward(self, inputs):
        features = {n: Features(getattr(self, n)(inputs[n]).tanh()) for n in ("a", "b")}
        fused = self.fusion(features).tensor
        return features, fused, self.head(fused)

    def method(self, **options):
        return Greedy(Parts({"b": self.b, "a": self.a}), self.head, self.fusion, cross_entropy, **options).double()


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = {n: torch.randn(8, INPUTS, generator=generator, dtype=torch.float64) for n in ("a", "b")}
    return inputs, inputs["a"][:, :CLASSES].argmax(1)


def train(net, method, steps, epoch=lambda index: 2):
    """SGD steps; per step whether gates were held in it, its record, and the gradients."""
    optimizer, seen = torch.optim.SGD(net.parameters(), lr=0.2), []
    for index in range(steps):
        inputs, target = batch(index)
        optimizer.zero_grad()
        held = net.fusion.held.tolist()
        features, fused, logits = net(inputs)
        step = Step(features, fused, logits, target, epoch=epoch(index), index=index)
        record = method.backward(cross_entropy(logits, target), step)
        seen.append((held, record, net.fusion.gates(features), *plain_paces(net)))
        optimizer.step()
    return seen


def plain_paces(net):
    """(mu bypass, mu main) for a and b: sums over tensors, as they are named."""

    def pair(tensors):
        return sum(t.square().sum().item() for t, _ in tensors), sum(g.square().sum().item() for _, g in tensors)

    found = []
    for name, place in (("a", slice(0, 4)), ("b", slice(4, 10))):
        excitation, squeeze = net.fusion.excitations[name], net.fusion.squeeze
        bypass = pair([(p, p.grad) for layer in (excitation, squeeze) for p in layer.parameters()])
        own = [(p, p.grad) for p in getattr(net, name).parameters()]
        main = pair([*own, (net.head.weight[:, place], net.head.weight.grad[:, place])])
        found.append((bypass[1] / bypass[0], main[1] / main[0]))
    return found


@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_speeds_and_windows_are_those_of_the_rule(epsilon):
    net = Net()
    method = net.method(epsilon=epsilon, window=3)
    totals, left, caring = [[0.0, 0.0], [0.0, 0.0]], 0, None
    trained = train(net, method, 30, epoch=lambda index: index // 5)
    for index, (held, record, _, first, second) in enumerate(trained):
        assert held == [left > 0 and caring == 0, left > 0 and caring == 1]
        if left == 0:
            for total, pace in zip(totals, (first, second), strict=True):
                total[0] += pace[0]
                total[1] += pace[1]
        speeds = [math.log10(total[0] / total[1]) for total in totals]
        assert [record["speed"][n].item() for n in ("a", "b")] == pytest.approx(speeds)
        difference = speeds[0] - speeds[1]
        if left:
            left -= 1
        elif abs(difference) > epsilon and index >= 10:  # epoch 2 begins at step 10
            left, caring = 3, 0 if difference > 0 else 1
        assert record["curation"].item() == (left > 0)


def test_some_windows_open_and_close():
    net = Net()
    held = [any(each[0]) for each in train(net, net.method(window=5), 20)]
    runs = "".join("h" if each else "." for each in held).split(".")
    assert "h" * 5 in runs, "a window is five steps, and a regular one follows"
    assert not any(len(run) > 5 for run in runs)


def test_held_gates_are_the_running_mean_and_nothing_of_the_other_modality_comes_through():
    net = Net()
    method = net.method()
    gates = [each[2] for each in train(net, method, 4, epoch=lambda index: 0)]
    means = {n: torch.cat([each[n] for each in gates]).mean(0).detach() for n in ("a", "b")}
    torch.testing.assert_close(method.steady, torch.cat([means["a"], means["b"]]))
    net.fusion.hold_(torch.tensor([True, False]), method.steady)
    inputs, _ = batch(9)
    features, fused, _ = net(inputs)
    torch.testing.assert_close(fused[:, :4] * 2, means["a"] * features["a"].tensor)
    (other,) = torch.autograd.grad(fused[:, :4].sum(), [features["b"].tensor], retain_graph=True, allow_unused=True)
    assert other is None or not other.any()
    (other,) = torch.autograd.grad(fused[:, 4:].sum(), [features["a"].tensor])
    assert other.any(), "the other direction stays open"
    net.eval()
    assert not torch.allclose(net(inputs)[1][:, :4] * 2, means["a"] * features["a"].tensor), "only in training"


def test_every_branch_has_a_loss_of_its_own_and_the_prediction_is_their_mean():
    net = Net()
    inputs, target = batch(0)
    features, fused, logits = net(inputs)
    gates = net.fusion.gates(features)
    own = [
        (gates[n] * features[n].tensor) @ net.head.weight[:, place].T + net.head.bias
        for n, place in net.fusion.places.items()
    ]
    torch.testing.assert_close(sum(own) / 2, logits)
    found = net.method().objective(torch.zeros(()), Step(features, fused, logits, target))
    torch.testing.assert_close(found, sum(cross_entropy(each, target) for each in own))


def test_before_its_epoch_it_only_watches():
    net = Net()
    found = train(net, net.method(start_epoch=2), 12, epoch=lambda index: 1)
    assert not any(any(each[0]) for each in found)
    assert all(each[1]["curation"] == 0 for each in found)


def test_its_memory_is_in_buffers():
    net, other = Net(), Net()
    method, resumed = net.method(), other.method()
    train(net, method, 7)
    other.load_state_dict(net.state_dict())
    resumed.load_state_dict(method.state_dict())
    one, two = train(net, method, 5), train(other, resumed, 5)
    assert [each[0] for each in one] == [each[0] for each in two]
    for name, value in net.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_it_needs_the_fusions_two_modalities():
    net = Net()
    with pytest.raises(ValueError, match="the same two modalities"):
        Greedy(Parts({"a": net.a}), net.head, net.fusion, cross_entropy)
    with pytest.raises(ValueError, match="the same two modalities"):
        Greedy(Parts({"a": net.a, "c": net.b}), net.head, net.fusion, cross_entropy)
    inputs, target = batch(0)
    step = Step(*net(inputs), target)
    with pytest.raises(RuntimeError, match="without objective"):
        net.method().modulate_(step)


def test_a_step_that_overflows_is_not_counted():
    """Under float16 the scaler skips it; one infinite gradient must not decide every later step."""
    net = Net()
    method = net.method()
    train(net, method, 1)
    before = method.bypass.clone(), method.main.clone()
    method.left.zero_()
    inputs, target = batch(1)
    features, fused, logits = net(inputs)
    step = Step(features, fused, logits, target)
    method.objective(cross_entropy(logits, target), step).backward()
    net.b.weight.grad[0, 0] = torch.inf
    method.modulate_(step)
    assert torch.equal(method.bypass, before[0])
    assert torch.equal(method.main, before[1])
