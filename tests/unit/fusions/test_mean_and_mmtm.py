"""The fusions that MLA and Greedy ask for, against their equations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.mean import Mean
from cggm_pipeline.fusions.mmtm import MMTM
from cggm_pipeline.layers.features import Features

WIDTHS = {"c": 4, "a": 2, "b": 3}


def given(widths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {n: Features(torch.randn(5, w, generator=generator, dtype=torch.float64)) for n, w in widths.items()}


def test_one_head_behind_the_mean_is_the_mean_of_the_head_on_each():
    features, head = given(dict.fromkeys("abc", 4)), nn.Linear(4, 3).double()
    fusion = Mean(dict.fromkeys("abc", 4))
    own = [head(value.tensor) for value in features.values()]
    torch.testing.assert_close(head(fusion(features).tensor), sum(own) / 3)
    assert fusion.width == 4
    assert fusion.blocks is None


def test_the_mean_takes_any_subset():
    features, fusion = given(dict.fromkeys("abc", 4)), Mean(dict.fromkeys("abc", 4))
    assert fusion.subsets
    assert torch.equal(fusion({"b": features["b"]}).tensor, features["b"].tensor)
    two = fusion({name: features[name] for name in "ca"}).tensor
    torch.testing.assert_close(two, (features["a"].tensor + features["c"].tensor) / 2)


def test_the_mean_needs_equal_widths():
    with pytest.raises(BuildError, match="a 2, b 3, c 4; make the encoders equally wide"):
        Mean(WIDTHS)


def test_mmtm_gates_each_modality_by_all():
    torch.manual_seed(0)
    fusion, features = MMTM(WIDTHS, ratio=3.0).double(), given(WIDTHS)
    everything = torch.cat([features[name].tensor for name in "abc"], 1)
    assert fusion.squeeze.weight.shape == (6, 9)  # int(2 * 9 / 3)
    excited = (everything @ fusion.squeeze.weight.T + fusion.squeeze.bias).clamp_min(0)
    parts = []
    for name in "abc":
        layer = fusion.excitations[name]
        gate = 2 / (1 + (-(excited @ layer.weight.T + layer.bias)).exp())
        parts.append(gate * features[name].tensor / 3)
    torch.testing.assert_close(fusion(features).tensor, torch.cat(parts, 1))


def test_mmtm_without_anything_to_say_is_late_fusion():
    """Gates of sigmoid(0) * 2 = 1: the features pass as they are."""
    fusion, features = MMTM(WIDTHS).double(), given(WIDTHS)
    for parameter in fusion.parameters():
        nn.init.zeros_(parameter)
    everything = torch.cat([features[name].tensor for name in "abc"], 1)
    torch.testing.assert_close(fusion(features).tensor, everything / 3)


def test_held_gates_are_numbers_in_training_and_the_modules_own_in_evaluation():
    torch.manual_seed(0)
    fusion, features = MMTM(WIDTHS).double(), given(WIDTHS)
    free = fusion(features).tensor
    steady = torch.linspace(0.5, 1.5, 9, dtype=torch.float64)
    fusion.hold_(torch.tensor([False, True, False]), steady)
    found = fusion(features).tensor
    torch.testing.assert_close(found[:, 2:5], steady[2:5] * features["b"].tensor / 3)
    assert torch.equal(found[:, :2], free[:, :2])
    assert torch.equal(found[:, 5:], free[:, 5:])
    assert torch.equal(fusion.eval()(features).tensor, free)
    assert {"held", "steady"} <= fusion.state_dict().keys()


def test_the_narrowest_squeeze_has_one_number():
    assert MMTM({"a": 1, "b": 1}, ratio=1000.0).squeeze.out_features == 1
