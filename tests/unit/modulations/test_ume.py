"""The unimodal ensemble: each encoder's gradient is that of its own model, and their mean is the prediction."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import UME, Parts, Step

WIDTHS = {"a": 3, "b": 5, "c": 2, "d": 4}


def setting(names="abc", seed=0, bias=True):
    torch.manual_seed(seed)
    encoders = {name: nn.Sequential(nn.Linear(4, WIDTHS[name]), nn.Tanh()).double() for name in names}
    head = nn.Linear(sum(WIDTHS[name] for name in names), 3, bias=bias).double()
    method = UME(Parts(dict(reversed(encoders.items()))), head, functional.cross_entropy)
    inputs = {name: torch.randn(8, 4).double() for name in names}
    return encoders, head, method, inputs, torch.randint(3, (8,))


def step_of(encoders, head, inputs, target):
    features = {name: encoder(inputs[name]) for name, encoder in encoders.items()}
    fused = torch.cat(list(features.values()), 1) / len(features)
    return Step(features, fused, head(fused), target)


def blocks_of(names):
    ends = [sum(WIDTHS[n] for n in names[: k + 1]) for k in range(len(names))]
    return {name: slice(end - WIDTHS[name], end) for name, end in zip(names, ends, strict=True)}


def own_losses(encoders, head, inputs, target):
    """Each model by itself: its encoder, its columns of the weight, the bias."""
    return {
        name: functional.cross_entropy(
            encoders[name](inputs[name]) @ head.weight[:, block].T + (0 if head.bias is None else head.bias), target
        )
        for name, block in blocks_of(list(encoders)).items()
    }


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_the_models_one_by_one(names, bias):
    encoders, head, method, inputs, target = setting(names, bias=bias)
    expected = {}
    for name, loss in own_losses(encoders, head, inputs, target).items():
        gradients = torch.autograd.grad(loss, [*encoders[name].parameters(), *head.parameters()])
        expected[name] = gradients
    step = step_of(encoders, head, inputs, target)
    record = method.backward(functional.cross_entropy(step.logits, target), step)
    for name, block in blocks_of(list(names)).items():
        *own, weight = expected[name][: 3 if not bias else -1]
        for parameter, gradient in zip(encoders[name].parameters(), own, strict=True):
            torch.testing.assert_close(parameter.grad, gradient)
        torch.testing.assert_close(head.weight.grad[:, block], weight[:, block])
    if bias:
        torch.testing.assert_close(head.bias.grad, sum(each[-1] for each in expected.values()))
    found = own_losses(encoders, head, inputs, target)
    assert {n: v.item() for n, v in record["unimodal_loss"].items()} == pytest.approx(
        {n: v.item() for n, v in found.items()}
    )


def test_the_prediction_is_the_mean_of_the_models():
    encoders, head, _, inputs, target = setting()
    logits = [
        encoders[name](inputs[name]) @ head.weight[:, block].T + head.bias for name, block in blocks_of("abc").items()
    ]
    torch.testing.assert_close(torch.stack(logits).mean(0), step_of(encoders, head, inputs, target).logits)


def test_what_the_others_see_does_not_matter():
    encoders, head, method, inputs, target = setting()

    def gradient(given):
        for parameter in encoders["a"].parameters():
            parameter.grad = None
        step = step_of(encoders, head, given, target)
        method.backward(functional.cross_entropy(step.logits, target), step)
        return [parameter.grad for parameter in encoders["a"].parameters()]

    for one, other in zip(gradient(inputs), gradient({**inputs, "b": 9 * inputs["b"]}), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-15)


def test_blocks_may_be_said():
    encoders, head, method, inputs, target = setting()
    step = step_of(encoders, head, inputs, target)
    said = replace(step, features=dict.fromkeys("abc"), blocks=blocks_of("abc"))
    torch.testing.assert_close(method.objective(step.logits.sum(), said), method.objective(step.logits.sum(), step))


def test_refused():
    encoders, head, method, inputs, target = setting()
    step = step_of(encoders, head, inputs, target)
    projected = replace(step, features={name: value[:, :1] for name, value in step.features.items()})
    for given in (projected, replace(projected, rerun=lambda names: step.logits)):
        with pytest.raises(ValueError, match="side by side"):
            method.objective(step.logits.sum(), given)
    with pytest.raises(ValueError, match="at least 2 modalities"):
        UME(Parts({"a": encoders["a"]}), head, functional.cross_entropy)
    with pytest.raises(ValueError, match="head"):
        UME(Parts(encoders), nn.Sequential(head), functional.cross_entropy)
    with pytest.raises(RuntimeError, match="call objective before"):
        method.modulate_(step)
