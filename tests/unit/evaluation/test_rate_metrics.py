"""Metrics at growing missing rates: what the network is given at each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from cggm_pipeline.data.batch import Batch, Batches
from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.patterns.fixed import Fixed
from cggm_pipeline.data.patterns.rate import Rate
from cggm_pipeline.evaluation.rates import rate_metrics
from cggm_pipeline.layers.features import Features, Output
from cggm_pipeline.tasks.classification import Classification

NUMBER = 400
NAMES = ("a", "b")


class Pairs(Batches):
    """Two modalities, each the one-hot class; nobody lacks anything."""

    def __init__(self) -> None:
        self.target = torch.arange(NUMBER) % 3
        self.modalities, self.augment, self.device = list(NAMES), (), torch.device("cpu")
        columns = {name: SimpleNamespace(form=Form((3,), "float32")) for name in NAMES}
        self.split = PairSplit(columns)
        self.transforms = {name: [] for name in NAMES}

    def __len__(self) -> int:
        return NUMBER

    def _load(self, positions: Tensor, bounds):
        for rows in bounds:
            index = positions[rows]
            hot = torch.eye(3)[self.target[index]]
            yield Batch({name: Input(hot) for name in NAMES}, self.target[index], index)


class PairSplit(SimpleNamespace):
    groups = None

    def __init__(self, columns) -> None:
        super().__init__(columns=columns, ids=[f"s{index}" for index in range(NUMBER)])

    def __len__(self) -> int:
        return NUMBER

    def present(self, name: str) -> None:
        return None


class Needs(torch.nn.Module):
    """Right where `needed` is there, else class 0."""

    modalities = NAMES

    def __init__(self, needed: str) -> None:
        super().__init__()
        self.needed = needed
        self.asked: list[int] = []

    def forward(self, inputs) -> Output:
        self.asked.append(len(inputs["a"].values))
        logits = inputs[self.needed].values + torch.tensor([0.1, 0.0, 0.0])
        return Output({"a": Features(logits)}, logits, logits)


def test_accuracy_falls_with_what_is_gone() -> None:
    """Where its modality is missing it guesses class 0, right for a third; both gone keep the last to go."""
    data, network = Pairs(), Needs("b")
    found = rate_metrics(network, Classification(3), data, [0.0, 0.5, 0.9], split="test", seed=3)
    assert list(found) == [0.0, 0.5, 0.9]
    assert found[0.0]["accuracy"] == 1.0
    for rate in (0.5, 0.9):
        there = Gaps(Rate(NAMES, rate=rate), data.split, "test", seed=3).present()[:, 1]
        right = there | (data.target == 0).numpy()
        assert found[rate]["accuracy"] == pytest.approx(right.mean())
    assert found[0.9]["accuracy"] < found[0.5]["accuracy"] < 1


def test_the_rates_pattern_stands_in_place_of_the_splits_own() -> None:
    data = Pairs()
    before = Gaps(Fixed(NAMES, kept=[["a"]]), data.split, "test", seed=3)
    data.gaps = before
    assert rate_metrics(Needs("b"), Classification(3), data, [0.0], split="test", seed=3)[0.0]["accuracy"] == 1.0
    assert data.gaps is before


def test_gaps_are_the_seeds_and_every_rate_is_a_pass_over_every_sample() -> None:
    network = Needs("a")
    task, data = Classification(3), Pairs()
    one = rate_metrics(network, task, data, [0.5, 0.9], split="test", seed=3, batch_size=150)
    assert network.asked == [150, 150, 100] * 2
    assert rate_metrics(network, task, data, [0.5, 0.9], split="test", seed=3, batch_size=150) == one
    assert rate_metrics(network, task, data, [0.5, 0.9], split="test", seed=4) != one
    assert rate_metrics(network, task, data, [], split="test", seed=3) == {}
