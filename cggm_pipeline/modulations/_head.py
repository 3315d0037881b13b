"""The head, ONE linear layer or 1x1 convolution: its blocks, its partial logits, its weight's gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.modulations.base import Step

Head = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def checked(module: object, whose: str) -> Head:
    """`module` if it is a linear layer or a 1x1 convolution; ValueError otherwise."""
    if isinstance(module, nn.Linear):
        return module
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        plain = module.weight[0, 0].numel() == 1 and module.groups == 1 and set(module.stride) == {1}
        if plain and set(_padding(module)) == {0}:
            return module
        raise ValueError(f"{whose} is {module}; allowed is a 1x1 convolution with stride 1, no padding and no groups")
    found = "missing (no attribute `head`)" if module is None else type(module).__name__
    raise ValueError(f"{whose} is {found}; allowed is one nn.Linear or one 1x1 convolution")


def _padding(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> tuple[int, ...]:
    return (0,) if isinstance(module.padding, str) else module.padding  # "same" and "valid" add nothing to 1x1


def size(head: Head) -> tuple[int, int]:
    """(outputs C, inputs D)."""
    return head.weight.shape[0], head.weight.shape[1]


def matrix(head: Head) -> Tensor:
    """The weight as (C, D), in the graph."""
    return head.weight.flatten(1)


def channels_last(head: Head, values: Tensor) -> Tensor:
    """(B, ..., channels), from what the head reads or writes: channels last (linear) or second (convolution)."""
    return values if isinstance(head, nn.Linear) else values.movedim(1, -1)


def weight_gradient(head: Head, delta: Tensor, fused: Tensor) -> Tensor:
    """dL/dW as (C, D) from delta = dL/dlogits and the head's input: delta^T z, summed over samples and places.

    The closed form is differentiable in `delta` and `fused`, so one ordinary backward pass goes through it.
    """
    left, right = channels_last(head, delta), channels_last(head, fused)
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


def partial_logits(head: Head, fused: Tensor, block: slice, share: float) -> Tensor:
    """u_m = W_m z_m + share * b: what one block of the head's input says alone; shaped like the logits."""
    bias = None if head.bias is None else head.bias * share
    logits = functional.linear(channels_last(head, fused)[..., block], matrix(head)[:, block], bias)
    return logits if isinstance(head, nn.Linear) else logits.movedim(-1, 1)


def consecutive(widths: Mapping[str, int]) -> dict[str, slice]:
    """Blocks that lie one behind the other, in this order."""
    ends = list(accumulate(widths.values()))
    return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}


def own_widths(head: Head, heads: Mapping[str, Head]) -> bool:
    """Whether each classifier ends in its own block's width (True) or in the head's input width (False).

    Raises ValueError where the classifiers' heads fit neither way.
    """
    outputs, inputs = size(head)
    for name, other in heads.items():
        if size(other)[0] != outputs:
            raise ValueError(f"classifier {name!r} ends in {size(other)[0]} outputs, the head in {outputs}")
    widths = {name: size(other)[1] for name, other in heads.items()}
    if all(width == inputs for width in widths.values()):
        return False
    if sum(widths.values()) == inputs:
        return True
    raise ValueError(
        f"the classifiers' heads read {widths}, the head reads {inputs}: each must read {inputs}, "
        f"or, where the head's input is the concatenation of the features, their widths must add up to {inputs}"
    )


def blocks(step: Step, widths: Mapping[str, int], inputs: int) -> dict[str, slice]:
    """Where each modality lies in the head's input: `step.blocks`, else one behind the other as in `step.features`."""
    if step.blocks is not None:
        return {name: step.blocks[name] for name in widths}
    order = {name: widths[name] for name in step.features if name in widths}
    found = consecutive(order)
    if len(found) != len(widths) or sum(order.values()) != inputs:
        raise ValueError(f"features of widths {order} do not make up the head's input of width {inputs}")
    return found


def full_precision(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors in at least float32: half precision loses gradients of an unscaled loss, and steps of a mean."""
    return [tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor for tensor in tensors]
