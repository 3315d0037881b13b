"""The missing-signal and the missing-type prompts of MPLMM."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Signals(nn.Module):
    """P_MS and P_NMS of one modality, (length, width): for samples that lack it, and for those that have it."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(length, width))
        self.there = nn.Parameter(torch.zeros(length, width))

    def forward(self, absent: Tensor) -> Tensor:
        """(B, length, width), by (B,) bool."""
        return torch.where(absent[:, None, None], self.missing, self.there)


class MissingType(nn.Module):
    """P'_MT = P_MT M_P, M_P = sum_m M_m P^m, P^m = P_MS or P_NMS of modality m; equations 4 and 5.

    Everything is stacked by modality, sorted by name: P_MT `prompt` (M, length, width), M_m `projection`
    (M, width, length). `turned`: M_P = sum_m (P^m)' (M_m)', the order of the released code's product.
    """

    def __init__(self, modalities: int, length: int, width: int, *, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        self.prompt = nn.Parameter(torch.zeros(modalities, length, width))
        self.projection = nn.Parameter(torch.zeros(modalities, width, length))

    def forward(self, signals: Tensor, absent: Tensor) -> Tensor:
        """P'_MT (B, M, length, width) from the signals (M, 2, length, width), missing first, and absent (B, M)."""
        parts = self.projection[:, None] @ signals
        tokens = self.prompt[:, None, None] @ (parts.mT if self.turned else parts)
        chosen = [
            torch.where(absent[:, place, None, None, None], tokens[:, place, 0], tokens[:, place, 1])
            for place in range(absent.shape[1])
        ]
        return torch.stack(chosen).sum(0)
