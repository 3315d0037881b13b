"""What a batch hands to an encoder."""

from __future__ import annotations

from dataclasses import dataclass

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
        """The same input where these samples, (B,) bool, lack the modality as well."""
        there = ~absent if self.present is None else self.present & ~absent
        return Input(self.values.masked_fill(absent.view(-1, *[1] * (self.values.ndim - 1)), 0), self.mask, there)
