"""Dropout by geometric gaps is dropout: same distribution, same scale, same derivative."""

import math

import pytest
import torch

from cggm_pipeline.layers.dropout import SMALL, Dropout, dropout, dropped_places


def test_it_is_the_identity_in_evaluation_and_at_rate_zero() -> None:
    x = torch.randn(100, 100)
    assert Dropout(0.2).eval()(x) is x
    assert dropout(x, 0.0) is x


@pytest.mark.parametrize("p", [0.01, 0.1, 0.25, 0.4])
def test_values_are_zero_or_scaled_and_the_share_of_zeros_is_p(p: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(700, 901) + 1
    y = dropout(x, p)
    dropped = y == 0
    torch.testing.assert_close(y[~dropped], x[~dropped] / (1 - p))
    error = math.sqrt(p * (1 - p) / x.numel())
    assert abs(dropped.double().mean().item() - p) < 4 * error


def test_gaps_are_geometric_and_neighbours_independent() -> None:
    """Chi-square: all 2^4 patterns of four neighbours have their product probability."""
    torch.manual_seed(1)
    p, n = 0.2, 400_000
    mask = torch.zeros(n + 1, dtype=torch.long)
    mask[dropped_places(n, p)] = 1
    pattern = mask[:n].view(-1, 4) @ torch.tensor([8, 4, 2, 1])
    found = torch.bincount(pattern, minlength=16).double()
    ones = torch.tensor([bin(code).count("1") for code in range(16)])
    expected = (n / 4) * p**ones * (1 - p) ** (4 - ones)
    chi2 = ((found - expected) ** 2 / expected).sum().item()
    assert chi2 < 44.3  # 15 degrees of freedom, p = 1e-4


def test_every_place_drops_equally_often() -> None:
    torch.manual_seed(2)
    n, p, repeats = 50, 0.1, 20_000
    counts = torch.zeros(n + 1)
    for _ in range(repeats):
        counts.index_put_((dropped_places(n, p),), torch.tensor(1.0), accumulate=True)
    expected = repeats * p
    chi2 = ((counts[:n] - expected) ** 2 / (expected * (1 - p))).sum().item()
    assert chi2 < 100  # 50 degrees of freedom: p < 4e-5


def test_places_are_strictly_ascending_inside() -> None:
    places = dropped_places(100_000, 0.05)
    inside = places[places < 100_000]
    assert (inside.diff() > 0).all()
    assert (places[len(inside) :] == 100_000).all()
    assert len(inside) < len(places)  # more gaps were drawn than needed


def test_the_gradient_has_the_same_mask_and_a_second_derivative_exists() -> None:
    torch.manual_seed(3)
    x = torch.randn(SMALL, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.2)
    (gradient,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    kept = y != 0
    torch.testing.assert_close(gradient, torch.where(kept, 3 * (x / 0.8) ** 2 / 0.8, 0.0))
    (second,) = torch.autograd.grad(gradient.sum(), x)
    torch.testing.assert_close(second, torch.where(kept, 6 * x / 0.8**3, 0.0))


def test_one_seed_gives_one_mask_and_shapes_and_strides_do_not_matter() -> None:
    x = torch.randn(80, 3, 64)
    torch.manual_seed(4)
    first = dropout(x, 0.1)
    torch.manual_seed(4)
    second = dropout(x.transpose(0, 2).contiguous().transpose(0, 2), 0.1)
    assert torch.equal(first, second)
