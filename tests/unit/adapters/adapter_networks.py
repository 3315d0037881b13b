"""Small networks to adapt, and batches for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cggm_pipeline.encoders import Encoder
from cggm_pipeline.encoders.conv import Conv
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.encoders.transformer import Transformer
from cggm_pipeline.fills import Fill
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions import Fusion
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.fusions.transformer import Transformer as TransformerFusion
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network

WIDTH, FEATURES, CLASSES = 10, 4, 3
LENGTHS = {"audio": 6, "text": 5, "vision": 4}


def network(encoders: Mapping[str, Encoder], fusion: Fusion, fill: Fill | None = None) -> Network:
    return Network(encoders, fill or Zeros({}), fusion, fusion.head(CLASSES))


def sequences(
    lengths: Mapping[str, int] = LENGTHS, *, layers: Mapping[str, int] | None = None, **changes: Any
) -> Network:
    """Transformers over sequences of fixed lengths, and one over all their tokens."""
    torch.manual_seed(0)
    depths = layers or {}
    encoders = {
        name: Transformer((length, FEATURES), width=WIDTH, heads=2, layers=depths.get(name, 1))
        for name, length in lengths.items()
    }
    fusion = TransformerFusion(dict.fromkeys(lengths, WIDTH), heads=2, layers=1)
    return network(encoders, fusion, **changes)


def vectors(number: int = 2, *, hidden: int = WIDTH) -> Network:
    """Perceptrons with batch normalisation over vectors."""
    torch.manual_seed(0)
    names = list(LENGTHS)[:number]
    encoders = {name: MLP((FEATURES,), hidden=[6, hidden], batch_norm=True) for name in names}
    return network(encoders, Concat(dict.fromkeys(names, hidden), width=6))


def images() -> Network:
    """One small convolutional network over images, without any linear layer before the head."""
    torch.manual_seed(0)
    return network({"photo": Conv((1, 8, 8), channels=[4, 6])}, Concat({"photo": 6}))


def inputs(
    lengths: Mapping[str, int] = LENGTHS, *, batch: int = 5, dtype: torch.dtype = torch.float32
) -> dict[str, Input]:
    """Random sequences without padding."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: Input(torch.randn(batch, length, FEATURES, generator=generator, dtype=torch.float64).to(dtype))
        for name, length in lengths.items()
    }


def flat(number: int = 2, batch: int = 5) -> dict[str, Input]:
    """Random vectors."""
    generator = torch.Generator().manual_seed(2)
    return {name: Input(torch.randn(batch, FEATURES, generator=generator)) for name in list(LENGTHS)[:number]}


def learning(adapted: Network) -> set[str]:
    return {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}


def steps(adapted: Network, given: Mapping[str, Input], number: int = 2, rate: float = 1e-2) -> list[torch.Tensor]:
    """Adam steps on whatever learns; the logits before each of them."""
    optimizer = torch.optim.Adam([p for p in adapted.parameters() if p.requires_grad], lr=rate)
    adapted.train()
    seen = []
    for _ in range(number):
        optimizer.zero_grad()
        logits = adapted(given).logits
        logits.square().mean().backward()
        optimizer.step()
        seen.append(logits.detach())
    return seen
