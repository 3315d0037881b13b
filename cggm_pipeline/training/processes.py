"""Decisions that several processes must take alike, although their numbers may differ in the last bits."""

from __future__ import annotations

from typing import TypeVar

from accelerate.utils import broadcast_object_list
from torch import distributed

T = TypeVar("T")


def first(value: T) -> T:
    """The first process's value in every process; any plain value or tensors on the CPU."""
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return value
    shared = [value]
    broadcast_object_list(shared, from_process=0)
    return shared[0]
