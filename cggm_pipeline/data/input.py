"""What a batch hands to an encoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Input:
    """One modality of a batch.

    `values`: (B, D), (B, T, D) or (B, C, H, W). `mask`: (B, T) bool, True where a time step is padding.
    `present`: (B,) bool, False where a sample lacks this modality (its values are zeros); null: all are there.
    """

    values: Tensor
    mask: Tensor | None = None
    present: Tensor | None = None

    def lacking(self, absent: Tensor) -> Input:
        """The same input where these samples, (B,) bool, lack the modality as well.

        Of a sequence that is missing one step of zeros is left, as data have it that lack it by themselves: its length
        would tell of it.
        """
        there = ~absent if self.present is None else self.present & ~absent
        values = self.values.masked_fill(absent.view(-1, *[1] * (self.values.ndim - 1)), 0)
        return Input(values, None if self.mask is None else _one_step(self.mask, absent), there)


def _one_step(mask: Tensor, absent: Tensor) -> Tensor:
    """The padding mask (B, T) with all steps but the first padded where `absent`, (B,)."""
    later = torch.arange(mask.shape[1], device=mask.device) > 0
    return torch.where(absent.unsqueeze(1), later, mask)
