"""Entropy minimisation: what a step moves, what a pass remembers, and a shift that it beats."""

from __future__ import annotations

import pytest
import torch
from shifted_problem import accuracy, asked, batches, layer_normed, samples, small_network, trained_network
from torch import nn

from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.copies import adaptable, learning
from cggm_pipeline.evaluation.adaptation.losses import entropy
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating
from cggm_pipeline.evaluation.predictors.tent import Tent


def by_hand(network, given, lr):
    """Online Tent in a plain loop: forward with the batch's statistics, Adam's update from its equations, next."""
    copy = adaptable(network)
    for module in copy.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.train()
            module.track_running_stats = False
    parameters, found = learning(copy), []
    state = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for number, inputs in enumerate(given, 1):
        logits = copy(inputs).logits
        chances = logits.softmax(1)
        gradients = torch.autograd.grad(-(chances * chances.log()).sum(1).mean(), parameters)
        with torch.no_grad():
            for parameter, gradient, (first, second) in zip(parameters, gradients, state, strict=True):
                first.mul_(0.9).add_(gradient, alpha=0.1)
                second.mul_(0.999).add_(gradient.square(), alpha=0.001)
                root = (second / (1 - 0.999**number)).sqrt() + 1e-8
                parameter -= lr * (first / (1 - 0.9**number)) / root
        found.append(logits.detach())
    return found


@pytest.mark.parametrize("make", [small_network, layer_normed])
def test_online_is_the_plain_loop(make):
    network = make().double()
    given = batches(doubled(samples(60, seed=2, shift=1.0)[0]), 16)
    for found, expected in zip(asked(Tent(lr=1e-2), network, given), by_hand(network, given, 1e-2), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def doubled(inputs):
    return {name: type(given)(given.values.double()) for name, given in inputs.items()}


def test_online_carries_what_it_learnt_and_predicts_before_the_last_step():
    network, given = layer_normed(), batches(samples(32, seed=2, shift=1.0)[0], 16)
    first, again = asked(Tent(lr=1e-2), network, [given[0], given[0]])
    assert torch.equal(first, asked(PLAIN, network, given)[0])
    assert entropy(again) < entropy(first)
    two = asked(Tent(lr=1e-2, steps=2), network, [given[0]])[0]
    assert torch.equal(two, again)


def test_episodic_starts_anew_and_predicts_after_the_last_step():
    network, given = layer_normed(), batches(samples(48, seed=2, shift=1.0)[0], 16)
    forwards = asked(Tent(lr=1e-2, mode="episodic"), network, given)
    backwards = asked(Tent(lr=1e-2, mode="episodic"), network, given[::-1])[::-1]
    assert all(torch.equal(one, other) for one, other in zip(forwards, backwards, strict=True))
    online = asked(Tent(lr=1e-2), network, [given[0], given[0]])[1]
    assert torch.equal(forwards[0], online)


def test_the_order_of_batches_matters_online():
    network, given = layer_normed(), batches(samples(48, seed=2, shift=1.0)[0], 16)
    forwards = asked(Tent(lr=1e-2), network, given)
    backwards = asked(Tent(lr=1e-2), network, given[::-1])[::-1]
    assert not torch.equal(forwards[0], backwards[0])  # first, and last
    assert torch.equal(forwards[1], asked(Tent(lr=1e-2), network, given[:2])[1])  # what comes later changes nothing


def test_without_a_rate_it_is_the_plain_prediction_bit_for_bit():
    network, given = layer_normed(), batches(samples(40, seed=2)[0], 16)
    plain = asked(PLAIN, network, given)
    for mode in ("online", "episodic"):
        found = asked(Tent(lr=0.0, steps=2, mode=mode), network, given)
        assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))


def test_a_shift_is_beaten():
    network = trained_network()
    inputs, target = samples(480, seed=2, shift=2.0)
    given = batches(inputs, 64)
    source_only = accuracy(PLAIN, network, given, target)
    assert accuracy(Tent(), network, given, target) > source_only + 0.1
    assert accuracy(Tent(mode="episodic"), network, given, target) > source_only + 0.1


def test_frozen_encoders_stay_frozen():
    network = small_network()
    network.encoders["a"].freeze = True
    assert len(learning(network)) == 4  # scale and shift of two layers of one encoder
    network.encoders["b"].freeze = True
    with pytest.raises(BuildError, match=r"tent moves the scales and shifts.*none that is not frozen"):
        Tent().check(network)


def test_a_network_without_normalisation_is_refused():
    with pytest.raises(BuildError, match=r"tent.*batch_norm: true.*kind: plain"):
        Tent().check(small_network(batch_norm=False))
    assert isinstance(small_network().encoders["a"], MLP)
    Tent().check(small_network().to("meta"))
    assert Tent().selecting is PLAIN


def test_it_learns_inside_no_grad_and_leaves_nothing_with_a_graph():
    network, given = small_network(), batches(samples(16, seed=2)[0], 16)
    with evaluating(network):
        found = Tent()(network, given[0])
        assert not found.requires_grad
        assert not torch.is_grad_enabled()
