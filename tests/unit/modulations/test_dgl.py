"""DGL against two plain backward passes, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import Net, batches
from torch.nn import functional

from cggm_pipeline.modulations import DGL, Step
from cggm_pipeline.modulations._leaves import gradients, inner, leaf


def network(names):
    torch.manual_seed(0)
    return Net(sorted(names)).double()


def step_of(net, features, target):
    """A step on what `mask` returned."""
    fused = net.fuse(features)

    def rerun(zeroed):
        return net.head(net.fuse({n: f * (n not in zeroed) for n, f in features.items()}))

    return Step(features, fused, net.head(fused), target, rerun=rerun)


def run(net, method, inputs, target):
    features = method.mask({n: encoder(inputs[n]) for n, encoder in net.encoders.items()})
    step = step_of(net, features, target)
    return method.backward(functional.cross_entropy(step.logits, target), step)


def two_passes(net, inputs, target, alpha):
    """The release's: alpha sum_m L_m backward, fusion and head cleared, then L of detached features backward."""
    features = {n: encoder(inputs[n]) for n, encoder in net.encoders.items()}
    own = []
    for name in features:
        alone = {n: f if n == name else torch.zeros_like(f) for n, f in features.items()}
        own.append(functional.cross_entropy(net.head(net.fuse(alone)), target))
    (alpha * sum(own)).backward()
    for part in (net.fusion, net.head):
        part.zero_grad(set_to_none=True)
    joint = functional.cross_entropy(net.head(net.fuse({n: f.detach() for n, f in features.items()})), target)
    joint.backward()
    return joint.item(), [loss.item() for loss in own]


@pytest.mark.parametrize("names", ["ab", "abc", "bdac"])
def test_gradients_are_those_of_two_backward_passes(names):
    net, method = network(names), DGL(functional.cross_entropy, alpha=2.5)
    for inputs, target in batches(names, 3, 8):
        net.zero_grad()
        two_passes(net, inputs, target, 2.5)
        expected = {name: parameter.grad.clone() for name, parameter in net.named_parameters()}
        net.zero_grad()
        run(net, method, inputs, target)
        for name, parameter in net.named_parameters():
            if name.startswith("encoders"):
                torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-12, atol=1e-15)
            else:
                assert torch.equal(parameter.grad, expected[name]), "fusion and head know of the joint loss alone"


def test_the_number_is_the_sum_of_the_losses_and_each_is_logged():
    net, method = network("ab"), DGL(functional.cross_entropy, alpha=2.5)
    inputs, target = next(batches("ab", 1, 8))
    joint, own = two_passes(net, inputs, target, 2.5)
    features = method.mask({n: encoder(inputs[n]) for n, encoder in net.encoders.items()})
    step = step_of(net, features, target)
    total = method.objective(functional.cross_entropy(step.logits, target), step)
    assert total.item() == pytest.approx(joint + 2.5 * sum(own))
    record = method.modulate_(step)
    assert [value.item() for value in record["unimodal_loss"].values()] == pytest.approx(own)


def test_encoders_hear_nothing_of_the_joint_loss():
    """A joint loss that is a million times as large moves no encoder differently."""
    found = []
    for factor in (1.0, 1e6):
        net, method = network("ab"), DGL(functional.cross_entropy)
        inputs, target = next(batches("ab", 1, 8))
        features = method.mask({n: encoder(inputs[n]) for n, encoder in net.encoders.items()})
        step = step_of(net, features, target)
        method.backward(factor * functional.cross_entropy(step.logits, target), step)
        found.append([parameter.grad for parameter in net.encoders.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_factor_on_the_objective_is_one_on_every_gradient():
    """A gradient scaler's, or a micro-batch's weight."""
    found = []
    for factor in (1.0, 0.25):
        net, method = network("ab"), DGL(functional.cross_entropy)
        inputs, target = next(batches("ab", 1, 8))
        features = method.mask({n: encoder(inputs[n]) for n, encoder in net.encoders.items()})
        step = step_of(net, features, target)
        (factor * method.objective(functional.cross_entropy(step.logits, target), step)).backward()
        found.append([parameter.grad / factor for parameter in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_gradients_survive_half_precision():
    """1e-8 is zero in float16."""
    values = leaf(torch.ones(4, dtype=torch.float16))
    (found,) = gradients((values.float() * 1e-8).sum(), [values])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((4,), 1e-8), rtol=0.01, atol=0)


def test_what_is_handed_on_is_the_gradient():
    values = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    given = torch.randn(3, 2, dtype=torch.float64)
    inner(values, [given]).backward()
    assert torch.equal(values.grad, given)


def test_refused():
    with pytest.raises(ValueError, match="alpha is 0; allowed: above 0"):
        DGL(functional.cross_entropy, alpha=0)
    net, method = network("ab"), DGL(functional.cross_entropy)
    inputs, target = next(batches("ab", 1, 8))
    features, fused, logits = net(inputs)
    step = Step(features, fused, logits, target)
    with pytest.raises(RuntimeError, match="call mask on the features"):
        method.objective(logits.sum(), step)
    method.mask(features)
    with pytest.raises(ValueError, match="rerun"):
        method.objective(logits.sum(), step)
    method.mask(features)
    with pytest.raises(ValueError, match="is not what mask returned"):
        method.objective(logits.sum(), Step(features, fused, logits, target, rerun=lambda names: logits))
    with pytest.raises(TypeError, match="features are list"):
        method.mask({"a": [1.0]})
    with pytest.raises(RuntimeError, match="call objective before backward"):
        method.modulate_(step)
