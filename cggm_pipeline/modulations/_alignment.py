"""L_gm, its slope and its cosines, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST_NORM = 1e-8


class Alignment(NamedTuple):
    """L_gm (a scalar), its gradient with respect to the compared matrix (C, D), and the M cosines. All constants."""

    value: Tensor
    slope: Tensor
    cosines: Tensor


@torch.no_grad()
def alignment(coefficients: Tensor, whole: Tensor, others: Sequence[Tensor], places: Sequence[slice]) -> Alignment:
    """L_gm = (1/M) sum_i (|B_i| - B_i cos(whole[:, places[i]], others[i])).

    d cos(a, b) / da = (b/|b| - cos a/|a|) / |a|. A tensor shorter than 1e-8 has no direction: cosine and slope are 0.
    """
    factors = coefficients.to(whole.dtype)
    slope, cosines = torch.zeros_like(whole), []
    for factor, other, place in zip(factors, others, places, strict=True):
        ours, our_inverse = _direction(whole[:, place])
        theirs, _ = _direction(other)
        cosine = (ours * theirs).sum()
        slope[:, place] -= (factor / len(others)) * our_inverse * (theirs - cosine * ours)
        cosines.append(cosine)
    stacked = torch.stack(cosines)
    return Alignment((factors.abs() - factors * stacked).mean(), slope, stacked)


def _direction(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """The unit vector and 1/norm; zeros for a tensor without a direction."""
    norm = tensor.norm()
    inverse = torch.where(norm > SMALLEST_NORM, 1 / norm, 0)
    return tensor * inverse, inverse
