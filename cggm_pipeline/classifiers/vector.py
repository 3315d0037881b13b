"""The classifier of one modality's vector features."""

from __future__ import annotations

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features


class VectorClassifier(nn.Module):
    """A linear layer; behind one hidden layer where the head's input is not as wide as the features."""

    def __init__(self, width: int, head_width: int, out_features: int) -> None:
        super().__init__()
        same = width == head_width
        self.body = nn.Identity() if same else nn.Sequential(nn.Linear(width, head_width), nn.ReLU())
        self.head = nn.Linear(head_width, out_features)

    def forward(self, features: Features) -> Tensor:
        logits: Tensor = self.head(self.body(features.tensor))
        return logits
