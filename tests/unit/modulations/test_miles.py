"""MILES: utilisation and rates against closed forms, for two modalities and for more."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from probe_toy import Given, mean_logit, worth
from torch import nn

from cggm_pipeline.modulations import MILES
from cggm_pipeline.modulations.miles import slowed


def build(names="ab", **options):
    classifiers = {name: nn.Linear(1, 1) for name in names}
    for classifier in classifiers.values():
        nn.init.ones_(classifier.weight)
        nn.init.zeros_(classifier.bias)
    return MILES(classifiers, mean_logit, mean_logit, **options)


def rates(method):
    return {name: rate.item() for name, rate in method.rates().items()}


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize(
    ("joint", "alone", "expected"),
    [
        (0.8, {"a": 0.7, "b": 0.3}, {"a": 0.5, "b": 1.0}),  # u_a = 5/8, u_b = 1/8
        (0.8, {"a": 0.3, "b": 0.7}, {"a": 1.0, "b": 0.5}),
        (0.8, {"a": 0.6, "b": 0.5}, {"a": 1.0, "b": 1.0}),  # 3/8 - 2/8 <= 0.2
        (0.5, {"a": 0.9, "b": 0.6}, {"a": 1.0, "b": 1.0}),  # -1/5 and -4/5: both below 0
        (0.5, {"a": 0.9, "b": 0.4}, {"a": 0.5, "b": 1.0}),  # 1/5 and -4/5: one is not
        (0.0, {"a": 0.9, "b": 0.1}, {"a": 1.0, "b": 1.0}),  # nothing is used where nothing is right
    ],
)
def test_the_modality_that_is_used_more_is_slowed(names, joint, alone, expected):
    method = build(names)
    assert set(rates(method).values()) == {1.0}
    method.end_epoch(0, Given(valid=[worth({name: alone[name] for name in names}, joint)]))
    assert rates(method) == expected
    if joint:
        found = dict(zip("ab", method.utilisation.tolist(), strict=True))
        assert found == pytest.approx({"a": (joint - alone["b"]) / joint, "b": (joint - alone["a"]) / joint}, rel=1e-5)


def test_rates_are_set_back_and_do_not_build_up():
    method, found = build(mu=0.25, tau=0.1), []
    for alone in ({"a": 0.9, "b": 0.1}, {"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.5}, {"a": 0.1, "b": 0.9}):
        method.end_epoch(0, Given(valid=[worth(alone, 0.9)]))
        found.append(rates(method))
    slow = {"a": 0.25, "b": 1.0}
    assert found == [slow, slow, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 0.25}]


def test_more_than_two_are_left_out_in_turn():
    method, alone = build("cab"), {"c": 0.9, "a": 0.9, "b": 0.9}
    step = worth(alone, 0.8, without={"a": 0.7, "b": 0.2, "c": 0.6})
    method.end_epoch(0, Given(valid=[step]))
    assert method.utilisation.tolist() == pytest.approx([0.125, 0.75, 0.25], rel=1e-5)
    assert rates(method) == {"a": 1.0, "b": 0.5, "c": 1.0}
    with pytest.raises(ValueError, match=r"needs Step\(rerun=...\)"):
        method.end_epoch(1, Given(valid=[replace(step, rerun=None)]))


def test_batches_count_by_their_samples():
    method = build()
    one, three = worth({"a": 1.0, "b": 0.0}, 1.0, size=1), worth({"a": 0.0, "b": 0.4}, 1.0, size=3)
    method.end_epoch(0, Given(valid=[one, three]))
    assert method.utilisation.tolist() == pytest.approx([1 - 0.3, 1 - 0.25], rel=1e-5)


def test_all_that_are_used_most_are_slowed_and_ties_alone_are_not():
    assert slowed(torch.tensor([0.9, 0.9, 0.1]), 0.5, 0.2).tolist() == [0.5, 0.5, 1.0]
    assert slowed(torch.tensor([0.9, 0.9, 0.9]), 0.5, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_the_losses_of_the_modalities_are_added():
    method = build(weight=2.0)
    step = worth({"a": 0.25, "b": 0.5})
    total = method.objective(torch.tensor(1.0), step)
    assert total.item() == pytest.approx(1.0 + 2 * 0.75)
    total.backward()
    record = method.modulate_(step)
    assert {name: value.item() for name, value in record["unimodal_loss"].items()} == {"a": 0.25, "b": 0.5}
    assert {name: value.item() for name, value in record["rate"].items()} == {"a": 1.0, "b": 1.0}


def test_a_checkpoint_goes_on_and_without_a_probe_rates_stay():
    method, other = build(), build()
    method.end_epoch(0, Given(valid=[worth({"a": 0.9, "b": 0.1}, 0.9)]))
    other.load_state_dict(method.state_dict())
    other.end_epoch(1)
    assert rates(other) == rates(method) == {"a": 0.5, "b": 1.0}


def test_refused():
    with pytest.raises(ValueError, match=r"mu is 1\.5; allowed: 0 to 1"):
        build(mu=1.5)
    with pytest.raises(ValueError, match="tau is -1; allowed: at least 0"):
        build(tau=-1)
    with pytest.raises(ValueError, match="balancing needs at least 2"):
        build("a")
