"""Cosines per modality, added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cggm_pipeline.fusions.base import Fusion, blocks
from cggm_pipeline.layers.features import Features, Layout


class MMCosine(Fusion):
    """z = [h_1/|h_1| .. h_M/|h_M|], so that its head gives logits = s sum_m cos(W_m, h_m) (Xu et al., ICASSP 2023).

    Features of length 0, which an absent modality has, stay 0 and say nothing.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def __init__(self, widths: Mapping[str, int], *, scale: float = 10.0) -> None:
        super().__init__()
        self.width = sum(widths.values())
        self.blocks = blocks(widths)
        self.scale = scale

    def forward(self, features: Mapping[str, Features]) -> Features:
        return Features(torch.cat([_unit(features[name].tensor) for name in sorted(features)], dim=1))

    def head(self, out_features: int) -> nn.Module:
        """A linear layer without bias. Its `weight` is computed from the one that learns: s W_m/|W_m| in each block."""
        assert self.blocks is not None
        head = nn.Linear(self.width, out_features, bias=False)
        parametrize.register_parametrization(head, "weight", _Cosine(self.blocks, self.scale))
        return head


class _Cosine(nn.Module):
    """Every row at length s within every block."""

    def __init__(self, places: Mapping[str, slice], scale: float) -> None:
        super().__init__()
        self._places, self._scale = list(places.values()), scale

    def forward(self, weight: Tensor) -> Tensor:
        return self._scale * torch.cat([_unit(weight[:, place]) for place in self._places], dim=1)


def _unit(rows: Tensor) -> Tensor:
    """Rows at length 1; those of length 0 as they are."""
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    unit: Tensor = rows / length.where(length > 0, 1)
    return unit
