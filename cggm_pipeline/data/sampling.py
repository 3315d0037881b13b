"""Which samples an epoch takes, in which order and in which batches, and the seeds of everything random about it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.errors import DataError


def derived_seed(*parts: object) -> int:
    """A seed in [0, 2**63) for what the parts name. Different parts give independent generators."""
    return int.from_bytes(sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


def order(
    number: int, seed: int, epoch: int, groups: Sequence[str] | None = None, per_group: int | None = None
) -> Tensor:
    """The order in which an epoch takes `number` samples: a permutation, (number,) int64 on the CPU.

    `per_group`: only so many of each group (all, where a group has fewer), drawn anew in each epoch without replacement
    and shuffled over all groups; `groups` names the group of every sample. Every epoch takes equally many.
    """
    generator = torch.Generator().manual_seed(derived_seed("order", seed, epoch))
    permutation = torch.randperm(number, generator=generator)
    if per_group is None:
        return permutation
    if groups is None:
        raise DataError("training.per_group: the data have no groups; only sources whose samples have a case do")
    _, group = np.unique(np.array(groups), return_inverse=True)
    shuffled = group[permutation.numpy()]
    together = np.argsort(shuffled, kind="stable")  # group by group, each in the order of the permutation
    sizes = np.bincount(group)
    turn = np.empty(number, np.int64)
    turn[together] = np.arange(number) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = permutation[torch.from_numpy(turn < per_group)]
    return drawn[torch.randperm(len(drawn), generator=generator)]  # else the large groups would come first


def spans(number: int, batch_size: int, *, train: bool) -> list[slice]:
    """Which of `number` positions make which batch: `batch_size` each, the rest in the last one.

    `train`: a last batch of a single sample is joined to the one before, which then has `batch_size` + 1, because batch
    normalisation has no variance of one sample. With `batch_size` 1, or one sample in all, nothing is joined.
    """
    edges = [*range(0, number, batch_size), number]
    if train and len(edges) > 2 and number % batch_size == 1:
        del edges[-2]
    return [slice(first, last) for first, last in pairwise(edges)]
