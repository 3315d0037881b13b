"""Copies of an encoder's tensors: exact, in the state, and of the tensors that are there now."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import nn

from cggm_pipeline.modulations._snapshot import Snapshot


def tensors(module):
    return [*module.parameters(), *module.buffers()]


def test_a_module_that_was_moved_has_new_buffers_and_they_are_restored():
    encoder = nn.BatchNorm1d(3)
    made = Snapshot({"a": partial(tensors, encoder)})
    encoder.to(torch.float64)  # new running statistics, as a move to another device makes
    made.to(torch.float64)
    made.take_("a")
    before = copy.deepcopy(encoder.state_dict())
    encoder(torch.randn(5, 3, dtype=torch.float64) + 4)
    nn.init.zeros_(encoder.weight)
    assert not torch.equal(encoder.running_mean, before["running_mean"])
    made.restore_("a")
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_the_copies_are_in_the_state_and_a_deep_copy_has_its_own_live_tensors():
    encoder = nn.Linear(2, 2)
    made = Snapshot({"a": partial(tensors, encoder)})
    assert len(made.state_dict()) == 2
    other, theirs = copy.deepcopy((made, encoder))
    nn.init.zeros_(theirs.weight)
    other.restore_("a")
    assert torch.equal(theirs.weight, encoder.weight)
    assert other.live("a")[0] is theirs.weight
