"""What flows between the rooms of the torch half: inputs to encoders, features from them, outputs of a network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from cggm_pipeline.data.input import Input

__all__ = ["Features", "Input", "Layout", "Output"]

Layout = Literal["vector", "tokens", "pyramid"]


@dataclass(frozen=True)
class Features:
    """What an encoder says: (B, D), (B, T, D), or a list of (B, C_k, H_k, W_k), finest first; padding travels along."""

    values: Tensor | list[Tensor]
    mask: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Features:
        """The same features with `function` applied to every tensor of values."""
        values = [function(v) for v in self.values] if isinstance(self.values, list) else function(self.values)
        return replace(self, values=values)

    def detach(self) -> Features:
        """The same features, cut from the graph."""
        return self.map(lambda tensor: tensor.detach())

    @property
    def tensor(self) -> Tensor:
        """The values of a vector or token layout."""
        if isinstance(self.values, list):
            raise TypeError("a pyramid has no single tensor; use .values")
        return self.values


@dataclass(frozen=True)
class Output:
    """One forward pass. `blocks`: where each modality's features lie in the last axis of `fused`, if they lie in it."""

    features: Mapping[str, Features]
    fused: Tensor
    logits: Tensor
    blocks: Mapping[str, slice] | None = None
    rerun: Callable[[Collection[str]], Tensor] | None = None
