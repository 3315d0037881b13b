"""Which layers of a network are normalisation, and which parameters theirs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cggm_pipeline.layers.norms import batch_norms, norm_parameters, norms


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (nn.BatchNorm1d(4), 2),
        (nn.BatchNorm2d(4, affine=False), 0),
        (nn.InstanceNorm2d(4, affine=True), 2),
        (nn.LayerNorm(4), 2),
        (nn.LayerNorm(4, bias=False), 1),
        (nn.GroupNorm(2, 4), 2),
        (nn.RMSNorm(4), 1),
    ],
)
def test_every_normalisation_of_torch_is_found(made: nn.Module, count: int) -> None:
    network = nn.Sequential(nn.Linear(4, 4), made, nn.Dropout())
    assert norms(network) == [made]
    assert [id(parameter) for parameter in norm_parameters(network)] == [id(p) for p in made.parameters()]
    assert len(norm_parameters(network)) == count


def test_those_of_other_packages_derive_from_them() -> None:
    from timm.layers import BatchNormAct2d, LayerNorm2d

    network = nn.Sequential(BatchNormAct2d(4), LayerNorm2d(4))
    assert len(norms(network)) == 2
    assert batch_norms(network) == [network[0]]


def test_a_shared_layer_counts_once_and_one_without_statistics_has_none_to_take() -> None:
    shared, bare = nn.BatchNorm1d(4), nn.BatchNorm1d(4, track_running_stats=False)
    network = nn.Sequential(shared, bare, shared)
    network.register_parameter("own", nn.Parameter(torch.zeros(3)))
    assert len(norm_parameters(network)) == 4
    assert batch_norms(network) == [shared]
