"""A pass over a split: one session of the predictor, inputs alone, targets out of its reach; subsets each their own."""

from __future__ import annotations

import pytest
import torch
from shifted_problem import NAMES, asked, batches, samples, small_network
from torch import nn

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.evaluation.adaptation.copies import adaptable, learning
from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.casp import CASP
from cggm_pipeline.evaluation.predictors.norm_statistics import NormStatistics
from cggm_pipeline.evaluation.predictors.plain import PLAIN, forward, predict
from cggm_pipeline.evaluation.predictors.tent import Tent
from cggm_pipeline.evaluation.subsets import only, subset_metrics
from cggm_pipeline.tasks.classification import Classification

TASK = Classification(4)
ADAPTING = {
    "norm_statistics": NormStatistics(batch_size=16),
    "tent": Tent(lr=1e-2, batch_size=16),
    "tent episodic": Tent(lr=1e-2, batch_size=16, mode="episodic"),
    "casp": CASP(TASK, lr=1e-2, batch_size=16),
    "casp episodic": CASP(TASK, lr=1e-2, batch_size=16, mode="episodic"),
}
every = pytest.mark.parametrize("predictor", ADAPTING.values(), ids=ADAPTING)


class Split:
    """Batches of inputs and targets from memory; `hidden`: what stands in the place of the targets."""

    groups = None

    def __init__(self, inputs, target, hidden=None):
        self.inputs, self.target, self.hidden = inputs, target, hidden
        self.split, self.sizes = self, []

    def batches(self, size, *, train):
        assert not train
        self.sizes.append(size)
        for number, inputs in enumerate(batches(self.inputs, size)):
            rows = slice(size * number, size * number + size)
            target = self.target[rows] if self.hidden is None else self.hidden
            yield Batch(inputs, target, torch.arange(len(self.target))[rows])


class Untouchable:
    """A target that nobody may look at."""

    def __getattribute__(self, name):
        raise AssertionError(f"somebody looked at the targets ({name})")

    def __bool__(self):
        raise AssertionError("somebody asked the targets")


class Counting(Predictor):
    """Says with its logits how many batches its pass has seen."""

    batch_size = 7

    def __init__(self):
        self.opened = 0

    def __call__(self, network, inputs):
        return self.open(network)(inputs)

    def open(self, network):
        self.opened += 1
        seen = []

        def ask(inputs):
            seen.append(inputs)
            return torch.full((len(inputs["a"].values), 4), float(len(seen)))

        return ask


def problem(shift=1.0, number=48):
    return samples(number, seed=2, shift=shift)


def test_a_pass_is_opened_once_and_asked_batch_by_batch():
    counting = Counting()
    data = Split(*problem(number=20))
    found = predict(small_network(), data, predictor=counting)
    assert found.logits[:, 0].tolist() == [1.0] * 7 + [2.0] * 7 + [3.0] * 6
    assert counting.opened == 1
    predict(small_network(), data, predictor=counting, batch_size=20)
    assert data.sizes == [7, 20]
    assert counting.opened == 2


def test_a_predictor_that_keeps_nothing_is_its_own_session():
    network, (inputs, _) = small_network(), problem()
    assert torch.equal(PLAIN.open(network)(inputs), PLAIN(network, inputs))
    assert PLAIN.selecting is PLAIN
    assert PLAIN.check(nn.Linear(1, 1)) is None


@every
def test_targets_are_out_of_reach(predictor):
    inputs, target = problem()
    network, found = small_network(), {}
    garbage = torch.full((16,), 999)
    for name, hidden in (("true", None), ("garbage", garbage), ("untouchable", Untouchable())):
        logits = []
        data = Split(inputs, target, hidden)
        forward(network, data, lambda out, _, kept=logits: kept.append(out), predictor=predictor)
        found[name] = torch.cat(logits)
    assert torch.equal(found["true"], found["garbage"])
    assert torch.equal(found["true"], found["untouchable"])


@every
def test_the_networks_own_tensors_modes_and_gradients_are_as_they_were(predictor):
    network = small_network().train()
    network.encoders["a"].eval()
    network.head.weight.grad = torch.ones_like(network.head.weight)
    network.encoders["b"].requires_grad_(False)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    places = [tensor.data_ptr() for tensor in network.state_dict().values()]
    evaluate(network, TASK, Split(*problem()), predictor=predictor)
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert [tensor.data_ptr() for tensor in network.state_dict().values()] == places
    graded = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    assert graded == ["head.weight"]
    assert torch.equal(network.head.weight.grad, torch.ones_like(network.head.weight))
    assert [parameter.requires_grad for parameter in network.encoders["b"].parameters()] == [False] * 8
    assert all(not module._forward_pre_hooks for module in network.modules())


@every
def test_every_subset_is_a_pass_of_its_own(predictor):
    network, (inputs, target) = small_network(), problem()
    kept = [frozenset(), frozenset("a"), frozenset(NAMES)]
    data = Split(inputs, target)
    found = subset_metrics(network, TASK, data, kept, predictor=predictor)
    assert data.sizes == [16]
    for names in kept:
        alone = evaluate(network, TASK, Split(only(inputs, names), target), predictor=predictor)
        assert found[names] == alone
    assert found[frozenset(NAMES)] != evaluate(network, TASK, data, batch_size=16)


def test_a_copy_shares_what_does_not_move():
    network = small_network().train()
    copy = adaptable(network)
    assert not any(module.training for module in copy.modules())
    own, theirs = dict(network.named_parameters()), dict(copy.named_parameters())
    shared = {name for name in own if own[name].data_ptr() == theirs[name].data_ptr()}
    moving = {name for name in own if "layers.1." in name or "layers.4." in name}
    assert shared == own.keys() - moving
    assert {name for name in theirs if theirs[name].requires_grad} == moving
    assert len(learning(copy)) == len(moving)
    Learner(learning(copy), lr=1.0).step(copy(samples(16, seed=1)[0]).logits.square().sum())
    assert all(own[name].grad is None for name in own)
    assert not any(torch.equal(own[name], theirs[name]) for name in moving if name.endswith("weight"))


def test_a_last_batch_of_one_sample_is_predicted():
    inputs, _ = problem(number=17)
    for predictor in ADAPTING.values():
        logits = asked(predictor, small_network(), batches(inputs, 16))
        assert [len(each) for each in logits] == [16, 1]
        assert all(each.isfinite().all() for each in logits)
