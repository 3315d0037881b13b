"""MLB: factors by value table, gradients against the equations, and where it is nothing but unimodal losses."""

from __future__ import annotations

import math

import pytest
import torch
from modulation_toy import batches, furthest, optimizer_of, state
from scored_toy import gradients, made, stepped, train
from torch.nn import functional

from cggm_pipeline.modulations import UnimodalLosses
from cggm_pipeline.modulations._ratios import ratio_of_others
from cggm_pipeline.modulations.mlb import pace

TABLE = [
    # alpha beta_max s_m         r_m                 k_m
    (0.5, 10.0, (1, 3), (3, 1 / 3), (7.854347404, 0.678487262)),  # 1 + 9 tanh 1, 1 - tanh 1/3
    (0.5, 2.0, (1, 3), (3, 1 / 3), (1.761594156, 0.678487262)),  # 1 + tanh 1
    (0.5, 1.0, (1, 3), (3, 1 / 3), (1, 0.678487262)),  # beta_max 1: nobody is sped up
    (0.5, 10.0, (2, 2), (1, 1), (1, 1)),  # equally sure
    (0.0, 10.0, (1, 3), (3, 1 / 3), (1, 1)),  # alpha 0 changes nothing
    (1.0, 3.0, (1, 2, 3), (2.5, 1, 0.5), (2.810296507, 1, 0.537882843)),  # 1 + 2 tanh 1.5, 1 - tanh 0.5
    (0.5, 10.0, (0, 0), (1, 1), (1, 1)),  # nobody says anything
    (0.5, 10.0, (0, 1), (math.inf, 0), (10, 0.537882843)),  # 1 + 9, 1 - tanh 0.5
]


@pytest.mark.parametrize(("alpha", "beta_max", "score", "ratio", "factor"), TABLE)
def test_value_table(alpha, beta_max, score, ratio, factor):
    found = ratio_of_others(torch.tensor(score, dtype=torch.float64))
    if math.inf not in ratio:
        assert found.tolist() == pytest.approx(ratio, rel=1e-12)
    assert pace(found, alpha, beta_max).tolist() == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_gradients(names):
    """Encoders: k_m times the gradient of the sum of all losses. Fusion, head and classifiers: that gradient."""
    net, method = made("mlb", names)
    inputs, target = next(batches(names, 1, 16))
    features = {n: encoder(inputs[n]) for n, encoder in net.encoders.items()}
    own = {n: method.classifiers[n](features[n]) for n in names}
    total = functional.cross_entropy(net.head(net.fuse(features)), target)
    total = total + sum(functional.cross_entropy(u, target) for u in own.values())
    others = [*net.fusion.parameters(), *net.head.parameters(), *method.parameters()]
    wanted = torch.autograd.grad(total, [*others, *net.encoders.parameters()])
    s = {n: sum(u[i].softmax(0)[y].item() for i, y in enumerate(target.tolist())) / 16 for n, u in own.items()}
    r = {n: sum(s[o] for o in names if o != n) / (len(names) - 1) / s[n] for n in names}
    k = {n: 1 + (9 if q > 1 else 1) * math.tanh(0.5 * (q - 1)) for n, q in r.items()}
    assert min(k.values()) < 1 < max(k.values())

    record, found = gradients(net, method, inputs, target)
    for n in names:
        assert record["score"][n].item() == pytest.approx(s[n])
        assert record["factor"][n].item() == pytest.approx(k[n])
        assert record["unimodal_loss"][n].item() == pytest.approx(functional.cross_entropy(own[n], target).item())
    for parameter, want in zip(others, wanted, strict=False):
        torch.testing.assert_close(parameter.grad, want, rtol=1e-9, atol=1e-12)
    scaled = [k[n] for n, own_gradients in found.items() for _ in own_gradients]
    flat = [g for own_gradients in found.values() for g in own_gradients]
    for g, factor, want in zip(flat, scaled, wanted[len(others) :], strict=True):
        torch.testing.assert_close(g, factor * want, rtol=1e-9, atol=1e-12)


def test_swapping_modalities_swaps_factors():
    score = torch.tensor([0.2, 0.7], dtype=torch.float64)
    straight, swapped = pace(ratio_of_others(score), 0.5, 10), pace(ratio_of_others(score.flip(0)), 0.5, 10)
    assert torch.equal(straight.flip(0), swapped)


def test_alpha_0_is_unimodal_losses_bit_for_bit():
    net, method = made("mlb", alpha=0.0)
    train(net, method, optimizer_of(net, method), batches("abc", 5, 8))
    other, same = made("mlb")
    plain = UnimodalLosses({n: same.classifiers[n] for n in "abc"}, functional.cross_entropy)
    train(other, plain, optimizer_of(other, plain), batches("abc", 5, 8))
    assert furthest(state(net, method), state(other, plain)) == 0


def of_values(pieces, names=("a", "b", "c")):
    """The record of one step on values, in micro-batches of these sizes."""
    net, method = made("mlb", names)
    method._loss = (functional.mse_loss,)
    inputs, _ = next(batches(names, 1, sum(pieces)))
    target = torch.linspace(-3, 3, 3 * sum(pieces), dtype=torch.float64).sin().reshape(-1, 3)
    for rows in torch.arange(sum(pieces)).split(pieces):
        step = stepped(net, method, {n: x[rows] for n, x in inputs.items()}, target[rows])
        method.objective(functional.mse_loss(step.logits, step.target), step)
    return method.modulate_(step)


def test_confidence():
    """exp(-loss) where the target is a value."""
    record = of_values([8])
    for name, score in record["score"].items():
        assert score.item() == pytest.approx(math.exp(-record["unimodal_loss"][name].item()))


def test_confidence_in_values_is_that_of_the_whole_step():
    """exp(-loss) is no mean over samples: it is taken of the step's mean loss, however the step was cut."""
    whole, cut = of_values([8]), of_values([5, 3])
    for what in ("score", "factor"):
        assert [v.item() for v in cut[what].values()] == pytest.approx([v.item() for v in whole[what].values()])
