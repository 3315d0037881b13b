"""The classifier of one modality's token features."""

from __future__ import annotations

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.transformer import Transformer


class TokenClassifier(nn.Module):
    """`layers` Transformer blocks and the first token, then a head; behind a hidden layer where the widths differ."""

    def __init__(
        self, width: int, head_width: int, out_features: int, *, layers: int = 2, heads: int = 5, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.transformer = Transformer(
            width, heads, layers, attention_dropout=dropout, relu_dropout=dropout, residual_dropout=dropout
        )
        same = width == head_width
        self.body = nn.Identity() if same else nn.Sequential(nn.Linear(width, head_width), nn.ReLU())
        self.head = nn.Linear(head_width, out_features)

    def forward(self, features: Features) -> Tensor:
        tokens = self.transformer(features.tensor, features.mask)
        logits: Tensor = self.head(self.body(tokens[:, 0]))
        return logits
