"""Low-rank sequence fusion (Guo et al., AAAI 2025): all tokens of all modalities in a product of thin factors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.adapters._products import sum_of_products
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.layers.resampling import resampled, unpadded

GELU_SQUARE = 0.425
"""The mean of gelu(g)^2 for a standard normal g."""

Present = Mapping[str, Tensor | None]


class Factors(nn.Module):
    """One modality's projection D, c and its factors V, T and U, over `tokens` tokens of width `dim`.

    x~ = gelu(x D + c) in R^{T x rank},  z[r, s] = (x~ V[r])^T T[s] in R^{dim x rank}. Drawn so that z^2 is `size` in
    the mean where x has unit variance. `at_first`: the same factors as they were drawn, which never learn.
    """

    NAMES = ("down", "shift", "element", "time", "back")

    def __init__(self, dim: int, tokens: int, *, rank: int, drank: int, trank: int, size: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(dim, rank))
        self.shift = nn.Parameter(torch.zeros(rank))
        self.element = nn.Parameter(torch.empty(drank, rank, dim))
        self.time = nn.Parameter(torch.empty(trank, tokens, rank))
        self.back = nn.Parameter(torch.empty(tokens, rank))
        nn.init.normal_(self.down, std=dim**-0.5)
        nn.init.normal_(self.element, std=(size / (GELU_SQUARE * rank)) ** 0.5)
        nn.init.normal_(self.time, std=tokens**-0.5)
        nn.init.normal_(self.back, std=rank**-0.5)
        for name in self.NAMES:
            self.register_buffer(f"first_{name}", getattr(self, name).detach().clone())

    def now(self) -> dict[str, Tensor]:
        """The factors that learn."""
        return {name: getattr(self, name) for name in self.NAMES}

    def at_first(self) -> dict[str, Tensor]:
        """The factors that were drawn."""
        return {name: getattr(self, f"first_{name}") for name in self.NAMES}


class Meeting(nn.Module, ABC):
    """Tokens of several modalities, changed by what they say together. `parts`: what of it belongs to each of them."""

    parts: ByName[Any]

    @abstractmethod
    def forward(self, features: Mapping[str, Features], present: Present) -> dict[str, Features]:
        """Tokens (B, T_m, dim) of each modality in `parts`; `present`: (B,) bool, None or missing where all have it."""


class SumOfProducts(Meeting):
    """F = sum_{r,s} prod_m z_m[r, s];  x_m <- x_m + U_m F^T - U_m0 F_0^T, U_0 and F_0 those of the first factors.

    The product is the sum over all pairs of ranks, as a CP decomposition has it. What is subtracted makes the first
    output x itself, and leaves every factor a gradient, which factors of zeros would not (PiSSA, Meng et al. 2024,
    takes the first adapter off the weights for the same end). A modality that a sample lacks counts 1 in the product.
    """

    def __init__(
        self, dim: int, tokens: Mapping[str, int], *, rank: int, drank: int, trank: int, resample: bool
    ) -> None:
        super().__init__()
        size = (drank * trank) ** (-1 / len(tokens))  # so that the sum over ranks of products has unit variance
        factors = {
            name: Factors(dim, tokens[name], rank=rank, drank=drank, trank=trank, size=size) for name in sorted(tokens)
        }
        self.parts = ByName(factors)
        self.resample = resample

    def forward(self, features: Mapping[str, Features], present: Present) -> dict[str, Features]:
        learned = self._added(features, present, {name: part.now() for name, part in self.parts.items()})
        first = self._added(features, present, {name: part.at_first() for name, part in self.parts.items()})
        added = {name: self._back(learned[name] - first[name], features[name]) for name in self.parts}
        return changed(features, added, present)

    def _added(
        self, features: Mapping[str, Features], present: Present, factors: Mapping[str, Mapping[str, Tensor]]
    ) -> dict[str, Tensor]:
        """U_m F^T, (B, tokens, dim), of each modality."""
        tall = [self._summed(features[name], factors[name], present.get(name)) for name in self.parts]
        wide = [factors[name]["element"].to(tall[0].dtype) for name in self.parts]
        there = [present.get(name) for name in self.parts]
        fused = sum_of_products(tall, wide, [None if each is None else (~each).to(tall[0].dtype) for each in there])
        # bmm and mm alone: matmul rounds in another way where one side is a parameter that learns
        back = {name: factors[name]["back"].expand(len(fused), -1, -1) for name in self.parts}
        return {name: torch.bmm(each, fused) for name, each in back.items()}

    def _summed(self, features: Features, factors: Mapping[str, Tensor], present: Tensor | None) -> Tensor:
        """T^T x~, (B, trank, rank, rank), zero where a sample lacks the modality.

        Time is summed first: z = (x~ V)^T T = V^T (x~^T T), and that is the smaller way round.
        """
        time = factors["time"]
        trank, tokens, rank = time.shape
        narrow = squeezed(features, factors["down"], factors["shift"], tokens if self.resample else None)
        if present is not None:
            narrow = narrow.masked_fill(~present.view(-1, 1, 1), 0)
        summed = narrow.transpose(1, 2).reshape(-1, tokens) @ time.transpose(0, 1).reshape(tokens, trank * rank)
        return summed.view(-1, rank, trank, rank).permute(0, 2, 3, 1).contiguous()

    def _back(self, added: Tensor, features: Features) -> Tensor:
        if not self.resample:
            return added
        mask = features.mask
        return resampled(added, features.tensor.shape[1] if mask is None else unpadded(mask))


class SummedFactors(nn.Module):
    """One modality's projection and factors as the released code draws them: those of time are zeros."""

    def __init__(self, dim: int, tokens: int, *, rank: int, drank: int, trank: int) -> None:
        super().__init__()
        self.down = nn.Linear(dim, rank)
        self.element = nn.Parameter(torch.randn(drank, rank, dim))
        self.time = nn.Parameter(torch.zeros(trank, tokens, rank))


class ProductOfSums(Meeting):
    """F = prod_m (x~_m sum_r V_m[r])^T sum_s T_m[s], added to the first `rank` of all tokens, sorted by modality.

    As in the released code, where ranks are summed inside each modality and time factors are zeros at first: with two
    modalities or more the product of zeros has no gradient, and none of these parameters ever moves.
    """

    def __init__(
        self, dim: int, tokens: Mapping[str, int], *, rank: int, drank: int, trank: int, resample: bool
    ) -> None:
        super().__init__()
        if resample:
            raise ValueError("tokens: form released adds to tokens where they stand, and resamples none; remove tokens")
        if sum(tokens.values()) < rank:
            raise ValueError(
                f"rank: form released adds {rank} fused tokens to the first {rank} of all, and there are "
                f"{sum(tokens.values())}; set a smaller rank, or form: paper"
            )
        factors = {
            name: SummedFactors(dim, tokens[name], rank=rank, drank=drank, trank=trank) for name in sorted(tokens)
        }
        self.parts = ByName(factors)

    def forward(self, features: Mapping[str, Features], present: Present) -> dict[str, Features]:
        terms = [neutral(self._term(features[name], part), present.get(name)) for name, part in self.parts.items()]
        fused = reduce(torch.mul, terms).transpose(1, 2)
        added, start = {}, 0
        for name in self.parts:
            tokens = features[name].tensor.shape[1]
            here = fused[:, start : start + tokens]
            added[name] = F.pad(here, (0, 0, 0, tokens - here.shape[1]))
            start += tokens
        return changed(features, added, present)

    def _term(self, features: Features, part: SummedFactors) -> Tensor:
        """z, (B, dim, rank)."""
        narrow = squeezed(features, part.down.weight.T, part.down.bias, None)
        return (narrow @ part.element.sum(0)).transpose(1, 2) @ part.time.sum(0)


def squeezed(features: Features, down: Tensor, shift: Tensor, tokens: int | None) -> Tensor:
    """x~ = gelu(x D + c), (B, T, rank), zero where padded; or as so many tokens of the time that is not padded."""
    values, mask = features.tensor, features.mask
    narrow = F.gelu(values.flatten(0, 1) @ down + shift).view(*values.shape[:2], down.shape[1])
    if mask is not None:
        narrow = narrow.masked_fill(mask.unsqueeze(-1), 0)
    return narrow if tokens is None else resampled(narrow, tokens, None if mask is None else unpadded(mask))


def neutral(term: Tensor, present: Tensor | None) -> Tensor:
    """1 where a sample lacks the modality: then it says nothing in a product."""
    return term if present is None else term.masked_fill(~present.view(-1, *[1] * (term.dim() - 1)), 1)


def changed(features: Mapping[str, Features], added: Mapping[str, Tensor], present: Present) -> dict[str, Features]:
    """The features with what is added to them; rows that lack the modality as they are."""
    found = {}
    for name, more in added.items():
        there = present.get(name)
        kept = more if there is None else more.masked_fill(~there.view(-1, 1, 1), 0)
        found[name] = Features(features[name].tensor + kept, features[name].mask)
    return found
