"""Modality valuation: Shapley values, repetitions and draws against what the paper says and against plain sums."""

from __future__ import annotations

from itertools import permutations
from math import factorial
from types import SimpleNamespace

import pytest
import torch

from cggm_pipeline.modulations.base import Probe, Step
from cggm_pipeline.schedules.smv import SMV, repetitions, shapley, values

PAPER = [  # right alone: a, v; right together -> phi_a, phi_v, repetitions of a alone, of v alone
    (0, 0, 0, 0.0, 0.0, 2, 2),
    (0, 0, 1, 1.0, 1.0, 0, 0),
    (1, 0, 0, 0.5, -0.5, 1, 3),
    (0, 1, 0, -0.5, 0.5, 3, 1),
    (1, 1, 0, 0.0, 0.0, 2, 2),
    (1, 0, 1, 1.5, 0.5, 0, 1),
    (0, 1, 1, 0.5, 1.5, 1, 0),
    (1, 1, 1, 1.0, 1.0, 0, 0),
]
"""Every case of two modalities."""


def value_of(a, v, both):
    columns = {("a",): [a], ("v",): [v], ("a", "v"): [2 * both]}
    return {frozenset(names): torch.tensor(number) for names, number in columns.items()}


@pytest.mark.parametrize(("a", "v", "both", "phi_a", "phi_v", "times_a", "times_v"), PAPER)
def test_two_modalities_are_the_papers_table(a, v, both, phi_a, phi_v, times_a, times_v):
    scaled = shapley(value_of(a, v, both))
    assert (scaled / 2).tolist() == [[phi_a, phi_v]]
    assert repetitions(scaled, 2).tolist() == [[times_a, times_v]]


@pytest.mark.parametrize("number", [2, 3, 4])
def test_values_are_the_mean_gain_over_all_orders_of_joining(number):
    names = "abcd"[:number]
    generator = torch.Generator().manual_seed(number)
    subsets = [frozenset(n for n, bit in zip(names, f"{mask:0{number}b}", strict=True) if bit == "1")
               for mask in range(1, 2**number)]  # fmt: skip
    value = {kept: len(kept) * torch.randint(2, (40,), generator=generator) for kept in subsets}
    found = shapley(value)
    plain = torch.zeros(40, number, dtype=torch.long)
    for order in permutations(names):
        for place, name in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            plain[:, names.index(name)] += value[after] - value.get(before, torch.zeros(40, dtype=torch.long))
    assert torch.equal(found, plain)
    assert torch.equal(found.sum(1), factorial(number) * value[frozenset(names)])


def test_a_fair_share_is_never_repeated_whatever_the_number():
    """All right together and nothing alone: phi = 1 exactly, which a float of three thirds need not be."""
    for number in range(2, 8):
        assert repetitions(torch.tensor([[factorial(number)]]), number).item() == 0
        assert repetitions(torch.tensor([[factorial(number) - 1]]), number).item() == 1


@pytest.mark.parametrize(
    ("number", "scaled", "times"),
    [(4, 23, 1), (4, 10, 1), (4, 9, 2), (4, -2, 2), (4, -3, 3), (5, 48, 1), (5, 47, 2), (5, -12, 2), (5, -13, 3)],
)
def test_limits_are_four_tenths_and_minus_one_tenth(number, scaled, times):
    """`scaled` / number! is phi: 10/24 is above 0.4, 9/24 below, 48/120 is 0.4 itself."""
    assert repetitions(torch.tensor([[scaled]]), number).item() == times


class Fake(Probe):
    """Three modalities of one number each: class 1 where the sum of what is there is above 0; the rest is bias."""

    epochs = 9

    def __init__(self, inputs, target, present=None):
        self.inputs, self.target, self.present, self.asked = inputs, target, present or {}, []

    def steps(self, split, share=1.0):
        self.asked.append((split, share))
        for rows in (slice(0, 3), slice(3, None)):
            features = {name: column[rows] for name, column in self.inputs.items()}

            def rerun(zeroed, features=features):
                total = sum(column * (name not in zeroed) for name, column in features.items())
                return torch.stack([torch.full_like(total, 0.1), total], 1)

            given = {
                name: SimpleNamespace(present=self.present[name][rows] if name in self.present else None)
                for name in features
            }
            yield Step(features, features, rerun(()), self.target[rows], rerun=rerun, inputs=given)

    def rehearse(self, method, epochs):
        raise AssertionError("not asked for")


@pytest.fixture
def probe():
    inputs = {"a": torch.tensor([2.0, -1, 1, 1, -3]), "b": torch.tensor([-1.0, 2, -2, -2, -3])}
    return Fake(inputs, torch.tensor([1, 1, 1, 0, 1]))


def test_correctness_of_every_subset(probe):
    first = next(iter(probe.steps("train")))
    found = {"".join(sorted(kept)): column.tolist() for kept, column in values(first, ["a", "b"]).items()}
    assert found == {"a": [1, 0, 1], "b": [0, 1, 0], "ab": [2, 2, 0]}


def drawn(schedule, probe, order=None, seed=0, epoch=5):
    draw = schedule.draw(torch.arange(5) if order is None else order, seed, epoch, probe)
    missing = {name: absent.tolist() for name, absent in draw.absent.items()}
    return [
        (int(position), "".join(name for name in sorted(missing) if not missing[name][place]))
        for place, position in enumerate(draw.order)
    ]


def test_samples_are_repeated_with_the_weak_modality_alone(probe):
    found = drawn(SMV(["b", "a"]), probe)
    # phi: 0: (1.5, .5), 1: (.5, 1.5), 2: (.5, -.5), 3: a wrong, b right, both right: (.5, 1.5), 4: none (0, 0)
    plain = [(i, "ab") for i in range(5)]
    more = [(0, "b"), (1, "a"), (2, "a"), *[(2, "b")] * 3, (3, "a"), *[(4, "a")] * 2, *[(4, "b")] * 2]
    assert sorted(found) == sorted(plain + more)
    assert found[:5] != plain, "what is added is shuffled into the epoch"
    assert probe.asked == [("train", 1.0)]


def test_only_the_samples_of_an_epoch_are_repeated(probe):
    found = drawn(SMV(["a", "b"]), probe, order=torch.tensor([2, 0]))
    assert sorted(found) == sorted([(2, "ab"), (0, "ab"), (0, "b"), (2, "a"), *[(2, "b")] * 3])


def test_a_sample_is_not_repeated_with_a_modality_that_it_lacks(probe):
    probe.present = {"b": torch.tensor([True, True, True, True, False])}
    found = drawn(SMV(["a", "b"]), probe)
    assert (4, "b") not in found
    assert found.count((4, "a")) == 2


def test_the_warm_up_is_an_ordinary_epoch_and_asks_nothing(probe):
    order = torch.tensor([3, 1, 0, 2, 4])
    draw = SMV(["a", "b"]).draw(order, 0, 4, probe)
    assert torch.equal(draw.order, order)
    assert not draw.absent
    assert not probe.asked


def test_level_modality_appends_the_lower_one_alone(probe):
    """Mean phi: a (1.5 + .5 + .5 + .5 + 0) / 5 = .6, b (.5 + 1.5 - .5 + 1.5 + 0) / 5 = .6; with a tenfold alpha."""
    balanced = drawn(SMV(["a", "b"], level="modality", alpha=10.0), probe)
    assert len(balanced) == 5
    assert probe.asked == [("train", 0.2)]
    probe.target = torch.tensor([1, 0, 1, 1, 1])
    # phi: 0: (1.5, .5), 1: a right, b wrong, both wrong: (.5, -.5), 2: (.5, -.5), 3: (.5, -.5), 4: 0; means .6, -.2
    found = drawn(SMV(["a", "b"], level="modality"), probe)
    assert len(found) == 5 + int(2 / 3 * 0.8 * 5)
    assert sorted(kept for _, kept in found) == ["ab"] * 5 + ["b"] * 2


def test_draws_come_from_seed_and_epoch_alone(probe):
    schedule = SMV(["a", "b"])
    first = drawn(schedule, probe)
    torch.manual_seed(99)
    assert drawn(schedule, probe) == first
    assert drawn(schedule, probe, seed=1) != first
    assert drawn(schedule, probe, epoch=6) != first


def test_a_sample_is_not_drawn_for_a_modality_that_it_lacks():
    """Level "modality": with that modality alone it would have none at all."""
    probe = Fake({"a": torch.full((5,), 2.0), "b": torch.full((5,), -1.0)}, torch.ones(5, dtype=torch.long))
    probe.present = {name: torch.tensor([True, False, False, False, False]) for name in "ab"}
    found = drawn(SMV(["a", "b"], level="modality", share=1.0, alpha=9.0), probe)
    more = [entry for entry in found if entry[1] != "ab"]
    assert more
    assert {position for position, _ in more} == {0}
