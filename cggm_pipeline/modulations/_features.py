"""Features of any form: plain tensors, or objects with map(function) over their tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(features: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The same features with `function` applied to each tensor. TypeError for what is neither."""
    if isinstance(features, Tensor):
        return function(features)
    over: Callable[[Callable[[Tensor], Tensor]], Any] | None = getattr(features, "map", None)
    if over is None:
        raise TypeError(f"features are {type(features).__name__}; allowed: tensors, or objects with map(function)")
    return over(function)


def tensors(features: Any) -> list[Tensor]:
    """The tensors that the features are made of, each (B, ...)."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(features, keep)
    return found


def real(features: Any) -> Tensor | None:
    """(B, T) bool, True where a token is no padding; None where nothing is."""
    mask: Tensor | None = getattr(features, "mask", None)
    return None if mask is None else ~mask
