"""Means over processes: what every modulation needs so that several processes decide as one would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, distributed


def several() -> bool:
    """Whether this process trains together with others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


@torch.no_grad()
def mean_(tensors: Sequence[Tensor], weight: float = 1.0) -> None:
    """Replace tensors of one dtype, in place, by their means over all processes: one collective for all of them.

    `weight` is this process's, e.g. its number of samples.
    """
    if not tensors or not several():
        return
    flat = torch.cat([*(tensor.reshape(-1) for tensor in tensors), tensors[0].new_ones(1)]) * weight
    distributed.all_reduce(flat)  # gloo has no mean
    flat = flat[:-1] / flat[-1]
    for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def mean_gradients_(parameters: Iterable[Tensor]) -> None:
    """Average over processes the gradients of parameters that no distributed wrapper knows (the classifiers')."""
    if several():
        mean_([parameter.grad for parameter in parameters if parameter.grad is not None])


@torch.no_grad()
def first_(tensor: Tensor) -> Tensor:
    """The first process's values in every process: random numbers must not drive the replicas apart."""
    if several():
        distributed.broadcast(tensor, src=0)
    return tensor
