"""The classifier of one modality's feature pyramid."""

from __future__ import annotations

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features


class PyramidClassifier(nn.Module):
    """The coarsest map, averaged over space, then as for vectors: a head, behind a hidden layer if widths differ."""

    def __init__(self, width: int, head_width: int, out_features: int) -> None:
        super().__init__()
        same = width == head_width
        self.body = nn.Identity() if same else nn.Sequential(nn.Linear(width, head_width), nn.ReLU())
        self.head = nn.Linear(head_width, out_features)

    def forward(self, features: Features) -> Tensor:
        logits: Tensor = self.head(self.body(features.values[-1].mean((2, 3))))
        return logits
