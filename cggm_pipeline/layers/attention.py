"""Multi-head self-attention, and what every kind of attention here shares."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.dropout import dropout


class SelfAttention(nn.Module):
    """Scaled dot-product attention of tokens (B, T, width) to themselves, with one projection for q, k and v.

    `bias`, if any, is added to the scores: see `padding_bias`.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise BuildError(f"a width of {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.qkv.weight)
        for linear in (self.qkv, self.out):
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        out: Tensor = self.out(attend(q, k, v, self.heads, bias, self.dropout if self.training else 0.0))
        return out


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, bias: Tensor | None, p: float) -> Tensor:
    """What queries (B, T, width) get of the values (B, S, width) at keys (B, S, width), head by head: (B, T, width).

    `p`: dropout of the attention weights. Without it, and on a GPU with it, the fused kernel of torch does the work.
    That kernel has no dropout on a CPU; there the scores are written out.
    """
    q, k, v = (part.view(*part.shape[:2], heads, -1).transpose(1, 2) for part in (q, k, v))
    if p == 0 or q.device.type != "cpu":
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p)
    else:
        mixed = _written_out(q, k, v, bias, p)
    return mixed.transpose(1, 2).flatten(2)


def _written_out(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, p: float) -> Tensor:
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    return dropout(scores.softmax(-1), p) @ v


def padding_bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """(B, T) bool, True where padded, to a (B, 1, 1, T) term of the scores that shuts padded keys out.

    It is finite, so that a sample with nothing but padding gets the mean of its values instead of NaN.
    """
    return None if mask is None else shutting(mask[:, None, None, :], dtype)


def shutting(shut: Tensor, dtype: torch.dtype) -> Tensor:
    """Bool, True where a query may not see a key, to a term of the scores that says so: 0, or the lowest number."""
    return torch.zeros(shut.shape, dtype=dtype, device=shut.device).masked_fill(shut, torch.finfo(dtype).min)
