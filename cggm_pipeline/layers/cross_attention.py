"""Attention of one sequence to another, and which keys a query may see."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.attention import attend, padding_bias, shutting


class CrossAttention(nn.Module):
    """Scaled dot-product attention of tokens (B, T, width) to a source (B, S, width): queries from the first, keys and
    values from the second.

    Initialised as one projection to q, k and v would be, as in `SelfAttention`. `bias`: see `key_bias`.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise BuildError(f"a width of {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        for linear in (self.query, self.key_value):
            nn.init.uniform_(linear.weight, -math.sqrt(6 / (4 * width)), math.sqrt(6 / (4 * width)))
        for linear in (self.query, self.key_value, self.out):
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor | None = None) -> Tensor:
        k, v = self.key_value(source).chunk(2, dim=-1)
        p = self.dropout if self.training else 0.0
        out: Tensor = self.out(attend(self.query(x), k, v, self.heads, bias, p))
        return out


def key_bias(x: Tensor, source: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor | None:
    """The term of the scores of queries x (B, T, width) at a source (B, S, width) that shuts keys out; None: no key.

    `mask` (B, S): padded keys. `causal`: keys of the future too. Where a query is left without a key, it sees all.
    """
    if not causal:
        return padding_bias(mask, x.dtype)
    shut = future(x.shape[1], source.shape[1], x.device)
    return shutting(shut if mask is None else shut | mask[:, None, None, :], x.dtype)


def future(queries: int, keys: int, device: torch.device) -> Tensor:
    """(queries, keys) bool, True where a key is later than a query: j > i + |keys - queries|.

    Of two sequences that differ in length the longer one may be that much ahead, as in MulT's code.
    """
    places = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return places.triu(1 + abs(keys - queries))
