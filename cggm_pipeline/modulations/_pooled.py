"""Features of any form as one vector per sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def pooled(features: Any) -> Tensor:
    """(B, D) in the graph: vectors as they are, the mean of each sample's real tokens, maps averaged over their places.

    A tensor (B, D), (B, T, D) or (B, D, H, W), or an object with such a tensor, or a list of maps, as `values`, and for
    tokens with `mask`: (B, T), True where a token is padding, or None. Levels of a pyramid stand side by side.
    """
    values: Tensor | list[Tensor] = features if isinstance(features, Tensor) else features.values
    if isinstance(values, list | tuple):
        return torch.cat([level.flatten(2).mean(2) for level in values], 1)
    if values.dim() != 3:
        return values.flatten(2).mean(2) if values.dim() > 3 else values
    mask: Tensor | None = getattr(features, "mask", None)
    if mask is None:
        return values.mean(1)
    return values.masked_fill(mask.unsqueeze(-1), 0).sum(1) / (~mask).sum(1, keepdim=True).clamp_min(1)
