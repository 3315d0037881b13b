"""Which samples are stable: hand-made trajectories, and the quantile as numpy has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cggm_pipeline.evaluation.adaptation.stability import instability, selected


def test_instability_is_the_mean_change_from_one_prediction_to_the_next():
    trajectory = torch.tensor([[0.0, 1.0, 5.0], [1.0, 1.0, 4.0], [-1.0, 1.0, 6.0]])  # K = 3, N = 3
    assert instability(trajectory).tolist() == [1.5, 0.0, 1.5]


def test_a_samples_values_are_averaged():
    trajectory = torch.zeros(2, 3, 2, 2, 2)
    trajectory[1, 1] = 1.0
    trajectory[1, 2, 0] = 1.0
    assert instability(trajectory).tolist() == [0.0, 1.0, 0.5]


def test_the_paper_keeps_the_most_stable_and_the_released_code_the_five_per_cent_least_stable():
    moves = torch.randperm(100, generator=torch.Generator().manual_seed(0)).double()
    trajectory = torch.stack([torch.zeros(100), moves])
    stable = selected(instability(trajectory), quantile=0.95, form="paper")
    unstable = selected(instability(trajectory), quantile=0.95, form="released")
    assert sorted(moves[unstable].tolist()) == [95, 96, 97, 98, 99]
    assert sorted(moves[stable].tolist()) == list(range(95))
    assert stable.tolist() == sorted(stable.tolist())


@pytest.mark.parametrize("number", [1, 2, 3, 10, 21, 24, 101])
@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9, 0.95])
def test_the_quantile_is_numpys(number, quantile):
    moves = torch.rand(number, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
    threshold = np.quantile(moves.numpy(), quantile)
    below = np.flatnonzero(moves.numpy() <= threshold + 1e-12)
    above = np.flatnonzero(moves.numpy() > threshold + 1e-12)
    assert selected(moves, quantile=quantile, form="paper").tolist() == below.tolist()
    assert selected(moves, quantile=quantile, form="released").tolist() == above.tolist()


def test_of_equal_samples_the_earlier_ones_count_as_stable():
    assert selected(torch.zeros(5), quantile=0.5, form="paper").tolist() == [0, 1, 2]
    assert selected(torch.zeros(5), quantile=0.5, form="released").tolist() == [3, 4]


def test_one_sample_is_stable_and_the_released_code_keeps_none():
    assert selected(torch.ones(1), form="paper").tolist() == [0]
    assert selected(torch.ones(1), form="released").tolist() == []
