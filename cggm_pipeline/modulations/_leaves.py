"""Features cut from their encoders, and the gradients that are handed on to the encoders later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cggm_pipeline.modulations._features import mapped, tensors
from cggm_pipeline.modulations._head import full_precision

_SCALE = 1024.0
"""A power of two, so that it changes no bit in float32; without it half precision rounds small gradients to zero."""


def leaf(features: Any) -> Any:
    """The same values without their history, as leaves of a new graph; see `mapped` for what features may be."""
    return mapped(features, lambda tensor: tensor.detach().requires_grad_())


def gradients(value: Tensor, inputs: Sequence[Tensor], *, retain: bool = False) -> list[Tensor]:
    """d value / d input for every input, in at least float32; zeros where the value does not depend on one."""
    found = torch.autograd.grad(_SCALE * value, inputs, retain_graph=retain, allow_unused=True, materialize_grads=True)
    return [each / _SCALE for each in full_precision(found)]


def inner(features: Any, with_gradients: Sequence[Tensor]) -> Tensor:
    """sum of <h, g> over the tensors of `features`, g constant: its gradient in h is g, whatever h went through."""
    pairs = zip(full_precision(tensors(features)), with_gradients, strict=True)
    return torch.stack([(values * gradient).sum() for values, gradient in pairs]).sum()
