"""Shapley contributions: what each modality adds to a score, over all orders in which modalities can join."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from math import factorial

Kept = frozenset[str]


def subsets(names: Collection[str]) -> list[Kept]:
    """Every subset, the empty one first, smaller ones before larger ones, each size in alphabetical order."""
    ordered = sorted(names)
    return [frozenset(kept) for size in range(len(ordered) + 1) for kept in combinations(ordered, size)]


def shapley(values: Mapping[Kept, float]) -> dict[str, float]:
    """phi_m = sum over S without m of |S|! (M - |S| - 1)! / M! (v(S + m) - v(S)) (Shapley 1953).

    `values`: the score of every subset, the empty one included. The contributions add up to v(all) - v(none).
    """
    names = sorted(frozenset().union(*values))
    return {name: sum(_gains(name, names, values)) for name in names}


def _gains(name: str, names: Sequence[str], values: Mapping[Kept, float]) -> Iterator[float]:
    number = len(names)
    for without in subsets([other for other in names if other != name]):
        share = factorial(len(without)) * factorial(number - len(without) - 1) / factorial(number)
        yield share * (values[without | {name}] - values[without])
