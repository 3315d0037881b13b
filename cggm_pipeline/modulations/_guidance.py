"""How much a classifier's loss tells the encoder whose features it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


def guided(features: Any, weight: Tensor) -> Any:
    """The same values; what flows back through them is multiplied by the scalar `weight`, a constant.

    `features`: a tensor, or anything with `map(function)` over its tensors. TypeError for anything else.
    """

    def gate(tensor: Tensor) -> Tensor:
        cut = tensor.detach()
        return cut + weight.to(tensor.dtype) * (tensor - cut)

    if isinstance(features, Tensor):
        return gate(features)
    over: Callable[[Callable[[Tensor], Tensor]], Any] | None = getattr(features, "map", None)
    if over is None:
        found = type(features).__name__
        raise TypeError(f"features are {found}; preset 'stable' needs tensors, or objects with map(function)")
    return over(gate)
