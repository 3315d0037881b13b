"""One Transformer over the tokens of all modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers import transformer
from cggm_pipeline.layers.dropout import Dropout
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.widths import one_width


class Transformer(Fusion):
    """Tokens side by side in time, sorted by modality; blocks; h = the first token; z = h + W2 drop(relu(W1 h)).

    All modalities must have one width, which is z's. Vector features count as one token. Guo et al. 2024 (CGGM),
    section 4; the residual layers are MulT's.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"tokens", "vector"})

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        heads: int = 5,
        layers: int = 2,
        attention_dropout: float = 0.1,
        relu_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = one_width(widths, "transformer")
        self.transformer = transformer.Transformer(
            self.width,
            heads,
            layers,
            attention_dropout=attention_dropout,
            relu_dropout=relu_dropout,
            residual_dropout=residual_dropout,
            embedding_dropout=embedding_dropout,
        )
        self.first = nn.Linear(self.width, self.width)
        self.second = nn.Linear(self.width, self.width)
        self.output_dropout = Dropout(output_dropout)

    def forward(self, features: Mapping[str, Features]) -> Features:
        parts = [_tokens(features[name]) for name in sorted(features)]
        tokens = torch.cat([values for values, _ in parts], dim=1)
        mask = None
        if any(part is not None for _, part in parts):
            mask = torch.cat([_mask(values, part) for values, part in parts], dim=1)
        h = self.transformer(tokens, mask)[:, 0]
        return Features(h + self.second(self.output_dropout(self.first(h).relu())))


def _tokens(features: Features) -> tuple[Tensor, Tensor | None]:
    values = features.tensor
    return (values.unsqueeze(1), None) if values.dim() == 2 else (values, features.mask)


def _mask(values: Tensor, mask: Tensor | None) -> Tensor:
    return torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device) if mask is None else mask
