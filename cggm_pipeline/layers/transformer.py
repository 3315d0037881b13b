"""The pre-norm Transformer that the sequence encoder, the fusions over tokens and the token classifiers share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cggm_pipeline.layers.attention import SelfAttention
from cggm_pipeline.layers.cross_attention import CrossAttention, key_bias
from cggm_pipeline.layers.dropout import Dropout


class Block(nn.Module):
    """h = x + drop(attention(norm(x))), then h + drop(W2 drop(relu(W1 norm(h)))); the hidden layer is 4 x width.

    With equal weights it equals `torch.nn.TransformerEncoderLayer(width, heads, 4 * width, norm_first=True)`. A `cross`
    block attends to a source instead, which goes through the same layer norm first (Tsai et al. 2019, section 3.2).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        attention_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = (CrossAttention if cross else SelfAttention)(width, heads, dropout=attention_dropout)
        self.mlp_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.relu_dropout = Dropout(relu_dropout)
        self.residual_dropout = Dropout(residual_dropout)

    def forward(self, x: Tensor, bias: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        read = () if source is None else (self.attention_norm(source),)
        x = x + self.residual_dropout(self.attention(self.attention_norm(x), *read, bias))
        hidden = self.relu_dropout(self.widen(self.mlp_norm(x)).relu())
        out: Tensor = x + self.residual_dropout(self.narrow(hidden))
        return out


class Transformer(nn.Module):
    """Tokens (B, T, width), scaled by sqrt(width), plus sinusoidal positions, through blocks and a last layer norm.

    As MulT's encoder (Tsai et al. 2019), which CGGM uses; unlike there, a token of zeros is no padding: `mask` (B, T)
    says what is. A `cross` Transformer attends to a source (B, S, width), embedded in the same way, in every block; the
    mask is then the source's, (B, S). `causal`: no token sees what is later than itself.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int,
        *,
        attention_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        cross: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__()
        rates = {
            "attention_dropout": attention_dropout,
            "relu_dropout": relu_dropout,
            "residual_dropout": residual_dropout,
        }
        self.scale = math.sqrt(width)
        self.causal = causal
        self.embedding_dropout = Dropout(embedding_dropout)
        self.blocks = nn.ModuleList(Block(width, heads, cross=cross, **rates) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def embed(self, x: Tensor) -> Tensor:
        """What the first block reads."""
        embedded: Tensor = self.embedding_dropout(self.scale * x + positions(x))
        return embedded

    def forward(self, x: Tensor, mask: Tensor | None = None, source: Tensor | None = None) -> Tensor:
        bias = key_bias(x, x if source is None else source, mask, causal=self.causal)
        x = self.embed(x)
        read = () if source is None else (self.embed(source),)
        for block in self.blocks:
            x = block(x, bias, *read)
        out: Tensor = self.norm(x)
        return out


def positions(x: Tensor) -> Tensor:
    """Sinusoidal positions (T, width) for tokens x (B, T, width): sines, then cosines (Vaswani et al. 2017, 3.5)."""
    time, width = x.shape[1:]
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=x.device, dtype=x.dtype) * (-math.log(10_000) / half))
    angles = torch.arange(time, device=x.device, dtype=x.dtype)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


def mean_over_time(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean (B, width) of tokens (B, T, width) that are no padding; zeros where all are."""
    if mask is None:
        return values.mean(1)
    kept = ~mask
    return values.masked_fill(mask.unsqueeze(-1), 0).sum(1) / kept.sum(1, keepdim=True).clamp_min(1)
