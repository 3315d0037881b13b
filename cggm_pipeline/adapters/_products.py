"""The sum over ranks of products of modalities, without a memory of every product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def sum_of_products(tall: Sequence[Tensor], wide: Sequence[Tensor], absent: Sequence[Tensor | None]) -> Tensor:
    """sum_{r,s} prod_m (tall_m[:, s] wide_m[r] + absent_m), (B, rows, dim).

    `tall`: (B, S, rows, rank) and `wide`: (R, rank, dim) of each modality; `absent`: (B,), 1 where a sample lacks it,
    whose rows of `tall` are zeros, or None. Each of the R S M products has B rows dim numbers: they are made one r at a
    time, and made again in the backward pass, which would otherwise have to keep them all.
    """
    summed: Tensor = _Summed.apply(absent, *tall, *wide)
    return summed


class _Summed(torch.autograd.Function):
    """Differentiable any number of times: its derivative is made of differentiable operations."""

    @staticmethod
    def forward(ctx: Any, absent: Sequence[Tensor | None], *factors: Tensor) -> Tensor:
        ctx.absent = absent
        ctx.save_for_backward(*factors)
        tall, wide = factors[: len(absent)], factors[len(absent) :]
        total = tall[0].new_zeros(tall[0].shape[0], tall[0].shape[2], wide[0].shape[2])
        for r in range(len(wide[0])):
            terms = _terms(tall, wide, absent, r)
            product = terms[0]
            for term in terms[1:]:
                product = product * term
            total += product.sum(1)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        number, factors = len(ctx.absent), ctx.saved_tensors
        tall, wide = factors[:number], factors[number:]
        gradient = gradients[0].unsqueeze(1)
        of_tall: list[list[Tensor]] = [[] for _ in tall]
        of_wide: list[list[Tensor]] = [[] for _ in wide]
        for r in range(len(wide[0])):
            for m, others in enumerate(_others(_terms(tall, wide, ctx.absent, r))):
                passed = gradient.expand(-1, tall[m].shape[1], -1, -1) if others is None else gradient * others
                flat = passed.flatten(0, 2)
                if ctx.needs_input_grad[1 + m]:
                    of_tall[m].append((flat @ wide[m][r].T).view_as(tall[m]))
                if ctx.needs_input_grad[1 + number + m]:
                    of_wide[m].append(tall[m].flatten(0, 2).T @ flat)
        sums = [sum(parts[1:], parts[0]) if parts else None for parts in of_tall]
        return (None, *sums, *(torch.stack(parts) if parts else None for parts in of_wide))


def _terms(tall: Sequence[Tensor], wide: Sequence[Tensor], absent: Sequence[Tensor | None], r: int) -> list[Tensor]:
    """Each modality's z for one r and every s: (B, S, rows, dim)."""
    found = []
    for high, broad, lacks in zip(tall, wide, absent, strict=True):
        z = (high.flatten(0, 2) @ broad[r]).view(*high.shape[:3], broad.shape[2])
        found.append(z if lacks is None else z + lacks.view(-1, 1, 1, 1))
    return found


def _others(terms: Sequence[Tensor]) -> list[Tensor | None]:
    """For each term the product of all others; None where there is no other."""
    before: list[Tensor | None] = [None]
    for term in terms[:-1]:
        before.append(_times(before[-1], term))
    after: list[Tensor | None] = [None]
    for term in reversed(terms[1:]):
        after.append(_times(after[-1], term))
    return [_times(left, right) for left, right in zip(before, reversed(after), strict=True)]


def _times(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one * other
