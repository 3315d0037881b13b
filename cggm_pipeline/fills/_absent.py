"""Which rows a modality is absent from, and features that are empty there."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.layers.features import Features


def emptied(features: Features, present: Tensor | None) -> Features:
    """The features with zeros in the rows, (B,) bool, that are not present."""
    if present is None:
        return features
    # masked_fill and not a product: a product would pass on NaN and its gradient
    return features.map(lambda values: values.masked_fill(beside(~present, values), 0))


def beside(flags: Tensor, values: Tensor) -> Tensor:
    """Flags (B,) as (B, 1, ..), as many axes as the values have."""
    return flags.view(-1, *[1] * (values.dim() - 1))


def there(features: Features, present: Tensor | None) -> Tensor:
    """(B,) bool: `present`, all True where it is None."""
    values = tensors(features)[0]
    return torch.ones(len(values), dtype=torch.bool, device=values.device) if present is None else present


def tensors(features: Features) -> list[Tensor]:
    """The values as a list, whatever the layout."""
    return features.values if isinstance(features.values, list) else [features.values]
