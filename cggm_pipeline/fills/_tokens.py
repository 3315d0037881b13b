"""One modality's features as tokens, with room for what a fill puts in the place of absent ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills._absent import beside, there
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.resampling import Cells, unpadded


def no_pyramids(widths: Mapping[str, int | tuple[int, ...]], kind: str) -> None:
    """BuildError where a modality's features are a pyramid, which is no sequence of tokens."""
    if pyramids := [name for name in sorted(widths) if not isinstance(widths[name], int)]:
        raise BuildError(f"{kind} fills vectors and tokens, but the features of '{pyramids[0]}' are a pyramid")


@dataclass(frozen=True)
class Tokens:
    """`values` (B, T, D), zeros in absent rows; `mask` (B, T), True where padded; `absent` (B,).

    `vector`: whether they were (B, D). `varies`: whether T is that of the longest sample in the batch: then each
    sample's own tokens are its time, so that no sample depends on the others.
    """

    values: Tensor
    mask: Tensor | None
    absent: Tensor
    vector: bool
    varies: bool

    @classmethod
    def of(cls, features: Features, present: Tensor | None, *, varies: bool) -> Tokens:
        """A vector is one token."""
        absent, values = ~there(features, present), features.tensor
        vector = values.dim() == 2
        values = values.masked_fill(beside(absent, values), 0)
        values = values.unsqueeze(1) if vector else values
        return cls(values, None if vector else features.mask, absent, vector, varies and not vector)

    def roomy(self, number: int) -> Tokens:
        """The same with no padding where the modality is absent: room for tokens that are made up.

        As many as there are; where T varies exactly `number`, and where that is more than T all sequences are padded.
        """
        if not self.varies:
            return self if self.mask is None else replace(self, mask=self.mask & ~self.absent[:, None])
        values, mask = self.values, self.mask
        mask = torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device) if mask is None else mask
        more = max(number - values.shape[1], 0)
        values, mask = F.pad(values, (0, 0, 0, more)), F.pad(mask, (0, more), value=True)
        beyond = torch.arange(values.shape[1], device=values.device) >= number
        return replace(self, values=values, mask=torch.where(self.absent[:, None], beyond, mask))

    @property
    def cells(self) -> Cells | None:
        """Where T varies each sample's own tokens; None: all T are equally large."""
        return unpadded(self.mask) if self.varies and self.mask is not None else None

    @property
    def gone(self) -> Tensor:
        """(B, T, 1) bool: absent or padded."""
        gone = self.absent[:, None].expand(self.values.shape[:2])
        return (gone if self.mask is None else gone | self.mask).unsqueeze(-1)

    def replaced(self, tokens: Tensor) -> Tokens:
        """With tokens (B, T' <= T, D) in the rows where the modality is absent."""
        padded = F.pad(tokens, (0, 0, 0, self.values.shape[1] - tokens.shape[1]))
        return replace(self, values=torch.where(beside(self.absent, padded), padded.to(self.values.dtype), self.values))

    def plus(self, tokens: Tensor) -> Tokens:
        """With tokens (B, T, D) added."""
        return replace(self, values=self.values + tokens.to(self.values.dtype))

    def attached(self, tokens: Tensor, *, behind: bool = False) -> Tokens:
        """With tokens (B, L, D) in front of every sequence, or behind it; to a vector their mean is added."""
        tokens = tokens.to(self.values.dtype)
        if self.vector:
            return replace(self, values=self.values + tokens.mean(1, keepdim=True))
        mask = self.mask
        if mask is not None:
            mask = F.pad(mask, (0, tokens.shape[1]) if behind else (tokens.shape[1], 0), value=False)
        parts = (self.values, tokens) if behind else (tokens, self.values)
        return replace(self, values=torch.cat(parts, dim=1), mask=mask)

    def features(self) -> Features:
        """As they came: vectors as (B, D)."""
        return Features(self.values.squeeze(1) if self.vector else self.values, self.mask)
