"""Joint training plus one loss per modality, against the sum written out."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import batches, build, step_of
from torch.nn import functional

from cggm_pipeline.modulations import UnimodalLosses


def test_gradients_are_those_of_the_sum():
    net, method = build("unimodal_losses", weight=0.4)
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target)
    own = {n: functional.cross_entropy(method.classifiers[n](step.features[n]), target) for n in "abc"}
    total = functional.cross_entropy(step.logits, target) + 0.4 * sum(own.values())
    parameters = [*net.parameters(), *method.parameters()]
    expected = torch.autograd.grad(total, parameters, retain_graph=True)
    record = method.backward(functional.cross_entropy(step.logits, target), step)
    for parameter, right in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, right)
    assert {n: v.item() for n, v in record["unimodal_loss"].items()} == {n: v.item() for n, v in own.items()}


def test_refused():
    with pytest.raises(ValueError, match="one per modality"):
        UnimodalLosses({}, functional.cross_entropy)
    net, method = build("unimodal_losses")
    inputs, target = next(batches("abc", 1, 8))
    with pytest.raises(RuntimeError, match="call penalty before backward"):
        method.modulate_(step_of(net, inputs, target))
