"""Sequences on another grid: closed forms, areas, each sample's own time, and derivatives."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.layers.resampling import Cells, even, resampled, shares, unpadded


def matrix(target: Cells, source: Cells) -> Tensor:
    return shares(target, source, torch.float64)


def restated(target: int, source: int) -> Tensor:
    """The part of [t/T, (t+1)/T] that lies in [s/S, (s+1)/S], in fractions."""
    rows = [
        [
            max(
                Fraction(0),
                min(Fraction(t + 1, target), Fraction(s + 1, source)) - max(Fraction(t, target), Fraction(s, source)),
            )
            * target
            for s in range(source)
        ]
        for t in range(target)
    ]
    return torch.tensor([[float(part) for part in row] for row in rows], dtype=torch.float64)


def test_five_cells_on_three_by_hand() -> None:
    expected = torch.tensor([[3, 2, 0, 0, 0], [0, 1, 3, 1, 0], [0, 0, 0, 2, 3]], dtype=torch.float64) / 5
    torch.testing.assert_close(matrix(even(3, "cpu"), even(5, "cpu")), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("target", [1, 2, 3, 7, 16, 50])
@pytest.mark.parametrize("source", [1, 2, 5, 7, 16, 375])
def test_areas_are_kept_and_equal_grids_are_the_identity(target: int, source: int) -> None:
    found = matrix(even(target, "cpu"), even(source, "cpu"))
    torch.testing.assert_close(found, restated(target, source), rtol=0, atol=1e-14)
    torch.testing.assert_close(found.sum(1), torch.ones(target, dtype=torch.float64))
    torch.testing.assert_close(found.sum(0), torch.full((source,), target / source, dtype=torch.float64))
    if target == source:
        assert torch.equal(found, torch.eye(source, dtype=torch.float64))
    x = torch.randn(2, source, 3, dtype=torch.float64)
    torch.testing.assert_close(resampled(x, target).mean(1), x.mean(1))


def test_coarser_grids_that_divide_are_means_and_finer_ones_repeat() -> None:
    x = torch.randn(2, 12, 3, dtype=torch.float64)
    pooled = functional.adaptive_avg_pool1d(x.transpose(1, 2), 4).transpose(1, 2)
    torch.testing.assert_close(resampled(x, 4), pooled)
    assert torch.equal(resampled(pooled, 12), pooled.repeat_interleave(3, 1))
    assert resampled(x, 12) is x


def test_a_sample_with_padding_is_what_it_would_be_without() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    x = torch.randn(3, 5, 2, dtype=torch.float64).masked_fill(mask[..., None], 0)
    there, back = resampled(x, 4, unpadded(mask)), torch.randn(3, 4, 2, dtype=torch.float64)
    stretched = resampled(back, unpadded(mask))
    for row in range(3):
        own = x[row : row + 1, ~mask[row]]
        if own.shape[1]:
            torch.testing.assert_close(there[row : row + 1], resampled(own, 4))
            torch.testing.assert_close(stretched[row, ~mask[row]], resampled(back[row : row + 1], own.shape[1])[0])
        else:
            assert not there[row].any()
        assert not stretched[row, mask[row]].any()


def test_it_can_be_differentiated_twice() -> None:
    x = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    assert torch.autograd.gradcheck(lambda given: resampled(given, 3, unpadded(mask)).sin(), x)
    assert torch.autograd.gradgradcheck(lambda given: resampled(given, 7).sin(), x)
