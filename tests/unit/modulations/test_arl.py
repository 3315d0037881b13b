"""ARL: weights by value table in both forms, what exchanging modalities does to them, and the gradients."""

from __future__ import annotations

import math

import pytest
import torch
from modulation_toy import batches
from scored_toy import Concatenated, gradients, made
from torch.nn import functional

from cggm_pipeline.modulations.arl import entropy, weights


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


TABLE = [
    # form      T    H_m         d_m                a_0 (of two)
    ("paper", 8.0, (1, 1), (0.5, 0.5), 0.5),  # softmax(8, 8)
    ("paper", 1.0, (1, 2), (0.5, 0.5), sigmoid(1)),  # q_0 / q_1 = 2: softmax(2, 1)
    ("paper", 1.0, (2, 1), (0.5, 0.5), sigmoid(-0.5)),  # softmax(0.5, 1): not 1 - sigmoid(1)
    ("paper", 1.0, (1, 2), (0.8, 0.4), 0.5),  # the dependence follows the certainty
    ("paper", 8.0, (1, 2), (0.2, 0.4), sigmoid(12)),  # more certain than it is used: softmax(16, 4)
    ("paper", 0.0, (1, 2), (0.2, 0.4), 0.5),
    ("released", 8.0, (1, 1), (3, 3), 0.5),
    ("released", 1.0, (1, 2), (1, 1), sigmoid(1 / 6)),  # q' = (2/3, 1/3), d' = (1/2, 1/2)
    ("released", 1.0, (2, 1), (1, 1), sigmoid(-1 / 6)),  # antisymmetric
    ("released", 1.0, (1, 2), (2, 1), 0.5),  # q'_0 d'_1 = 2/9 = q'_1 d'_0
    (
        "released",
        8.0,
        (1, 99),
        (1, 1),
        sigmoid(8 * 0.5 * (0.99 - 0.3) / (0.99 + 0.3)),
    ),  # the share 0.01 is taken as 0.3
]


@pytest.mark.parametrize(("form", "temperature", "entropies", "dependences", "expected"), TABLE)
def test_value_table(form, temperature, entropies, dependences, expected):
    values = [torch.tensor(each, dtype=torch.float64) for each in (entropies, dependences)]
    assert weights(*values, temperature, form).tolist() == pytest.approx([expected, 1 - expected], abs=1e-12)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_more_than_two_are_means_over_pairs(form):
    values = [torch.tensor(each, dtype=torch.float64) for each in ((0.5, 0.9, 0.2), (0.3, 0.6, 0.4))]
    pair = {
        (i, j): weights(values[0][[i, j]], values[1][[i, j]], 2.0, form).tolist() for i, j in ((0, 1), (0, 2), (1, 2))
    }
    expected = [
        (pair[0, 1][0] + pair[0, 2][0]) / 2,
        (pair[0, 1][1] + pair[1, 2][0]) / 2,
        (pair[0, 2][1] + pair[1, 2][1]) / 2,
    ]
    assert weights(*values, 2.0, form).tolist() == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1.5)


def test_only_the_released_form_is_blind_to_names():
    values = [torch.tensor(each, dtype=torch.float64) for each in ((0.5, 0.9), (0.3, 0.6))]
    swapped = [value.flip(0) for value in values]
    assert weights(*values, 2.0, "released").tolist() == pytest.approx(
        weights(*swapped, 2.0, "released").flip(0).tolist()
    )
    assert abs(weights(*values, 2.0, "paper")[0] - weights(*swapped, 2.0, "paper")[1]) > 0.01


@pytest.mark.parametrize("form", ["paper", "released"])
def test_a_modality_without_doubt_stays_finite(form):
    values = [torch.tensor(each, dtype=torch.float64) for each in ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))]
    found = weights(*values, 8.0, form)
    assert found.isfinite().all()
    assert found.sum().item() == pytest.approx(1.5)


def test_entropy():
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)], [0.0, 1000.0]])
    expected = (math.log(2) - 0.25 * math.log(0.25) - 0.75 * math.log(0.75) + 0) / 3
    assert entropy(logits).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("form", ["paper", "released"])
@pytest.mark.parametrize("started", [False, True])
def test_gradients(form, started):
    """(1 + a_m) times the encoder's gradient of L + gamma sum L(u_m), at first 1 and 1."""
    net, method = made("arl", ("a", "b"), network=Concatenated, form=form, temperature=3.0, gamma=2.0, start_epoch=1)
    inputs, target = next(batches("ab", 1, 16))
    features = {n: net.encoders[n](inputs[n]) for n in "ab"}
    place = {"a": slice(0, 5), "b": slice(5, 10)}
    own = {n: features[n] @ net.head.weight[:, place[n]].T + net.head.bias / 2 for n in "ab"}
    losses = {n: functional.cross_entropy(u, target) for n, u in own.items()}
    total = functional.cross_entropy(net.head(net.fuse(features)), target)
    total = total + (2.0 if started else 1.0) * sum(losses.values())
    head, encoders = list(net.head.parameters()), [p for n in "ab" for p in net.encoders[n].parameters()]
    wanted = torch.autograd.grad(total, [*head, *encoders])
    certain = {n: 1 / -(u.softmax(1) * u.log_softmax(1)).sum(1).mean().item() for n, u in own.items()}
    if form == "paper":
        used = {n: u.softmax(1)[range(16), target].mean().item() for n, u in own.items()}
        edge = certain["a"] / certain["b"] - used["a"] / used["b"]
    else:
        used = {n: u.abs().sum(1).mean().item() for n, u in own.items()}
        share = [{n: v / sum(of.values()) for n, v in of.items()} for of in (certain, used)]
        edge = share[0]["a"] * share[1]["b"] - share[0]["b"] * share[1]["a"]
    a = sigmoid(3.0 * edge)
    factor = {"a": 1 + a, "b": 2 - a} if started else {"a": 1.0, "b": 1.0}
    assert abs(a - 0.5) > 1e-3

    record, found = gradients(net, method, inputs, target, epoch=int(started))
    for n in "ab":
        assert record["factor"][n].item() == pytest.approx(factor[n])
        assert record["entropy"][n].item() == pytest.approx(1 / certain[n])
        assert record["score"][n].item() == pytest.approx(used[n])
        assert record["unimodal_loss"][n].item() == pytest.approx(losses[n].item())
    for parameter, want in zip(head, wanted, strict=False):
        torch.testing.assert_close(parameter.grad, want, rtol=1e-9, atol=1e-12)
    flat = [(n, g) for n in "ab" for g in found[n]]
    for (n, g), want in zip(flat, wanted[len(head) :], strict=True):
        torch.testing.assert_close(g, factor[n] * want, rtol=1e-9, atol=1e-12)
