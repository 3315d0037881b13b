"""Low-rank multimodal fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName


class LowRank(Fusion):
    """z = sum_r w_r prod_m (F_m^r [h_m; 1]) + c: a tensor product in CP form (Liu et al. 2018, equation 6).

    The product over modalities is taken for each rank before the sum over ranks; the other way round (which some
    published code computes) has the same cost and only the expressiveness of rank 1.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int], *, width: int = 64, rank: int = 4) -> None:
        super().__init__()
        self.width = width
        self.rank = rank
        # the bias of a linear layer is the column of F that [h; 1] multiplies by 1
        self.factors = ByName({name: nn.Linear(widths[name], rank * width) for name in sorted(widths)})
        self.weights = nn.Parameter(torch.empty(rank))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.weights, std=(1 / rank) ** 0.5)
        for factor in self.factors:
            nn.init.ones_(self.factors[factor].bias)

    def forward(self, features: Mapping[str, Features]) -> Features:
        parts = [factor(features[name].tensor) for name, factor in self.factors.items()]
        product = torch.stack(parts).prod(0).view(-1, self.rank, self.width)
        return Features(torch.einsum("r,brw->bw", self.weights, product) + self.bias)
