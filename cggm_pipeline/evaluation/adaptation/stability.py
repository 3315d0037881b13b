"""Stable pseudo-labels (CASP): which samples' predictions moved least while a network was adapted, and their mean."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

Form = Literal["paper", "released"]


def instability(trajectory: Tensor) -> Tensor:
    """u = mean over k of |y^{k+1} - y^k|, (N,), of predictions (K, N, ...), K >= 2; a sample's values are averaged."""
    moves = trajectory.diff(dim=0).abs().mean(0)
    return moves.reshape(len(moves), -1).mean(1)


def selected(unstable: Tensor, *, quantile: float = 0.95, form: Form = "paper") -> Tensor:
    """The positions of the samples that are learnt from, ascending, int64, of instabilities u (N,).

    "paper": those with u at or below the quantile of all u, the stable ones. "released": those above it, of which the
    authors' code keeps the labels (pseudolabel.py, line 39); none of one sample. The quantile is the linearly
    interpolated one of numpy and torch. How many there are follows from N alone, so that no value goes to the host;
    among equal u the earlier sample is the more stable one.
    """
    stable = math.floor(quantile * (len(unstable) - 1) + 1e-9) + 1
    order = unstable.argsort(stable=True)
    return {"paper": order[:stable], "released": order[stable:]}[form].sort().values
