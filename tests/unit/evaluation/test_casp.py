"""CASP while predicting: against a plain restatement of its steps; what moves; what a pass remembers; a shift."""

from __future__ import annotations

import copy as copying
import itertools
import random

import pytest
import torch
from shifted_problem import (
    FEATURES,
    accuracy,
    asked,
    batches,
    cut,
    layer_normed,
    samples,
    small_network,
    trained_network,
)
from torch import nn

from cggm_pipeline.data.input import Input
from cggm_pipeline.data.sampling import derived_seed
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors import casp
from cggm_pipeline.evaluation.predictors.casp import CASP
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating
from cggm_pipeline.tasks.classification import Classification
from cggm_pipeline.tasks.regression import Regression

TASK = Classification(4)


def contrast_by_hand(first, second):
    """NT-Xent at temperature 0.5 as a plain loop over rows."""
    rows = torch.cat([first, second])
    rows = rows / rows.norm(dim=1, keepdim=True)
    number, total = len(rows), 0
    for i in range(number):
        scores = [rows[i] @ rows[k] / 0.5 for k in range(number)]
        own = scores[(i + number // 2) % number]
        total = total - own + torch.stack([s for k, s in enumerate(scores) if k != i]).exp().sum().log()
    return total / number


def by_hand(network, given, *, lr, steps, quantile, released=False):
    """Online CASP with one pseudo-step, without clipping, written out: Adam is torch's, all else is plain."""
    made = copying.deepcopy(network).eval()
    moved = [p for m in made.modules() if isinstance(m, nn.BatchNorm1d | nn.LayerNorm) for p in m.parameters()]
    contrast, pseudo = torch.optim.Adam(moved, lr=lr), torch.optim.Adam(moved, lr=lr)
    found = []
    for number, inputs in enumerate(given):
        dropped = random.Random(derived_seed("drop", 0, number)).choices(["a", "b"], k=steps)
        seen = []
        for name in dropped:
            lacking = {**inputs, name: Input(torch.zeros_like(inputs[name].values), None, torch.zeros(16).bool())}
            output = made(inputs)
            seen.append(output.logits.detach().softmax(1))
            descend(contrast, contrast_by_hand(output.fused, made(lacking).fused))
        seen.append(made(inputs).logits.detach().softmax(1))
        moves = sum((after - before).abs().mean(1) for before, after in itertools.pairwise(seen)) / steps
        threshold = torch.quantile(moves, quantile)
        kept = moves > threshold if released else moves <= threshold
        label = (sum(seen) / len(seen)).argmax(1)
        descend(pseudo, nn.functional.cross_entropy(made(inputs).logits[kept], label[kept]))
        found.append(made(inputs).logits.detach())
    return found


def descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("form", ["paper", "released"])
@pytest.mark.parametrize("make", [small_network, layer_normed])
def test_it_is_the_plain_restatement(make, form):
    network = make().double()
    inputs = {name: Input(given.values.double()) for name, given in samples(48, seed=2, shift=1.0)[0].items()}
    given = batches(inputs, 16)
    predictor = CASP(TASK, lr=1e-2, steps=3, clip=None, quantile=0.7, form=form)
    expected = by_hand(network, given, lr=1e-2, steps=3, quantile=0.7, released=form == "released")
    for found, each in zip(asked(predictor, network, given), expected, strict=True):
        torch.testing.assert_close(found, each, rtol=1e-8, atol=1e-8)


def test_gradients_are_clipped_together():
    """Adam hides a common scale in its first step, but not how gradients of several steps weigh against each other."""
    network, given = layer_normed(), batches(samples(48, seed=2, shift=1.0)[0], 16)
    free = asked(CASP(TASK, lr=1e-2, clip=None), network, given)
    bounded = asked(CASP(TASK, lr=1e-2, clip=1e-3), network, given)
    assert not torch.allclose(free[-1], bounded[-1], atol=1e-5)
    loose = asked(CASP(TASK, lr=1e-2, clip=1e6), network, given)
    torch.testing.assert_close(loose[-1], free[-1])


def test_online_carries_over_and_episodic_does_not():
    network, given = layer_normed(), batches(samples(48, seed=2, shift=1.0)[0], 16)
    online = CASP(TASK, lr=1e-2)
    forwards, backwards = asked(online, network, given), asked(online, network, given[::-1])[::-1]
    assert not torch.equal(forwards[0], backwards[0])
    episodic = CASP(TASK, lr=1e-2, mode="episodic")
    forwards, backwards = asked(episodic, network, given), asked(episodic, network, given[::-1])[::-1]
    assert all(torch.equal(one, other) for one, other in zip(forwards, backwards, strict=True))
    assert torch.equal(forwards[1], asked(online, network, [given[1]])[0])


@pytest.mark.parametrize("mode", ["online", "episodic"])
def test_without_a_rate_it_is_the_plain_prediction_bit_for_bit(mode):
    for network in (layer_normed(), small_network()):
        given = batches(samples(40, seed=2)[0], 16)
        found = asked(CASP(TASK, lr=0.0, mode=mode), network, given)
        plain = asked(PLAIN, network, given)
        assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))


def test_the_network_is_untouched_and_only_normalisation_moves():
    network, given = small_network(), batches(samples(32, seed=2, shift=1.0)[0], 16)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    seen = []

    class Watching(CASP):
        def _pseudo(self, copy, *arguments):
            seen.append(copy)
            super()._pseudo(copy, *arguments)

    asked(Watching(TASK, lr=1e-2), network, given)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    after = seen[-1].state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    norms = {name for name, module in seen[-1].named_modules() if isinstance(module, nn.BatchNorm1d)}
    assert moved == {f"{name}.{part}" for name in norms for part in ("weight", "bias")}


def test_a_shift_is_beaten():
    network = trained_network()
    inputs, target = samples(480, seed=2, shift=2.0)
    given = batches(inputs, 48)
    source_only = accuracy(PLAIN, network, given, target)
    assert accuracy(CASP(TASK, lr=1e-2), network, given, target) > source_only + 0.1
    assert accuracy(CASP(TASK, lr=1e-2, pseudo_steps=0), network, given, target) > source_only + 0.05
    inputs, target = samples(480, seed=2)
    plain = accuracy(PLAIN, network, batches(inputs, 48), target)
    assert accuracy(CASP(TASK, lr=1e-2), network, batches(inputs, 48), target) > plain - 0.02


def test_one_sample_alone_moves_by_its_pseudo_label_and_not_at_all_as_released(monkeypatch):
    network, given = layer_normed(), batches(samples(1, seed=2, shift=1.0)[0], 16)
    (plain,) = asked(PLAIN, network, given)
    (paper,) = asked(CASP(TASK, lr=1e-2), network, given)
    assert paper.isfinite().all()
    assert paper.softmax(1).max() > plain.softmax(1).max()
    monkeypatch.setattr(casp, "pseudo_step", None)  # nothing to learn from: it is not called
    (released,) = asked(CASP(TASK, lr=1e-2, form="released"), network, given)
    assert torch.equal(released, plain)


def test_absent_modalities_stay_absent_and_nothing_is_nan():
    network, (inputs, _) = layer_normed(), samples(16, seed=2)
    here = torch.arange(16) % 3 != 0
    thin = {"a": inputs["a"].lacking(~here), "b": inputs["b"].lacking(here)}
    none = {name: given.lacking(torch.ones(16, dtype=torch.bool)) for name, given in inputs.items()}
    for given in (thin, none):
        found = asked(CASP(TASK, lr=1e-2), network, [given, given])
        assert all(logits.isfinite().all() for logits in found)
    alone = {"a": inputs["a"], "b": inputs["b"].lacking(torch.ones(16, dtype=torch.bool))}
    changed = {**alone, "b": Input(torch.full((16, FEATURES), 9.0), None, torch.zeros(16, dtype=torch.bool))}
    once, again = (asked(CASP(TASK, lr=1e-2), network, [given])[0] for given in (alone, changed))
    assert torch.equal(once, again)


def test_modalities_that_the_network_does_not_read_change_nothing():
    network, (inputs, _) = layer_normed(), samples(16, seed=2)
    more = {"aa": Input(torch.full((16, 3), 5.0)), **inputs}
    assert torch.equal(asked(CASP(TASK), network, [inputs])[0], asked(CASP(TASK), network, [more])[0])


def test_which_modality_is_dropped_follows_the_seed_and_the_weights():
    network, given = layer_normed(), batches(samples(32, seed=2, shift=1.0)[0], 16)

    def last(**options):
        return asked(CASP(TASK, lr=1e-2, **options), network, given)[-1]

    assert torch.equal(last(seed=3), last(seed=3))
    assert not all(torch.equal(last(seed=seed), last(seed=0)) for seed in (1, 2, 3))
    assert torch.equal(last(drop={"a": 1.0}, seed=1), last(drop={"a": 2.0}, seed=2))
    assert not torch.equal(last(drop={"a": 1.0}), last(drop={"b": 1.0}))


def test_values_are_their_own_pseudo_labels():
    network, given = layer_normed(out=1), batches(samples(16, seed=2, shift=1.0)[0], 16)
    task, seen = Regression(1), []
    found, plain = (asked(predictor, network, given)[0] for predictor in (CASP(task, lr=1e-2), PLAIN))
    assert found.isfinite().all()
    assert not torch.equal(found, plain)

    def predicted(logits):
        seen.append(logits)
        return logits

    def labelled(prediction):
        torch.testing.assert_close(prediction, torch.stack(seen).mean(0))
        return prediction

    task.predict, task.label = predicted, labelled
    assert torch.equal(asked(CASP(task, lr=1e-2), network, given)[0], found)
    assert len(seen) == 4
    assert torch.equal(seen[0], plain)


def test_what_it_cannot_adapt_is_refused():
    with pytest.raises(BuildError, match=r"casp moves.*has none"):
        CASP(TASK).check(small_network(batch_norm=False))
    with pytest.raises(BuildError, match=r"2 modalities or more.*network has 1"):
        CASP(TASK).check(small_network(names=("a",)))
    with pytest.raises(BuildError, match=r"drop: there is no modality c \(allowed: a, b\)"):
        CASP(TASK, drop={"c": 1.0}).check(small_network())
    with pytest.raises(BuildError, match="found BatchNorm1d"):
        CASP(TASK).check(nn.BatchNorm1d(3))
    CASP(TASK).check(small_network().to("meta"))
    assert CASP(TASK).selecting is PLAIN


def test_it_asks_the_network_as_often_as_its_cost_says():
    network, given = layer_normed(), batches(samples(16, seed=2)[0], 16)
    calls = []

    class Counted(type(network)):
        def forward(self, *arguments):
            calls.append(len(arguments))
            return super().forward(*arguments)

    network.__class__ = Counted
    asked(CASP(TASK, steps=3, pseudo_steps=2), network, given)
    assert len(calls) == 2 * 3 + 2 + 2


def test_rows_of_a_batch_are_selected_as_the_quantile_says(monkeypatch):
    network, given = layer_normed(), batches(samples(40, seed=2)[0], 40)
    taken = []

    def watching(*arguments, rows):
        taken.append(rows.tolist())
        return step(*arguments, rows=rows)

    step = casp.pseudo_step
    monkeypatch.setattr(casp, "pseudo_step", watching)
    asked(CASP(TASK), network, given)
    asked(CASP(TASK, form="released"), network, given)
    assert len(taken[0]) == 38  # 0.95 * 39 = 37.05: the positions 0 to 37 of the sorted instabilities
    assert sorted(taken[0] + taken[1]) == list(range(40))


def test_evaluating_leaves_modes_as_they_were():
    network = small_network().train()
    network.encoders["a"].eval()
    inputs = cut(samples(16, seed=2)[0], slice(0, 16))
    with evaluating(network):
        CASP(TASK)(network, inputs)
    assert network.training
    assert not network.encoders["a"].training
