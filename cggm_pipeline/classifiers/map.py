"""The classifier of one modality of a network whose z is a map: a decoder of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features


class MapClassifier(nn.Module):
    """logits = head(decoder(h)), (B, C, H', W'): the network's decoder over one modality, and a 1x1 convolution.

    `decoder`: a dense fusion of one modality, whose name is `own`.
    """

    own: ClassVar[str] = "own"

    def __init__(self, decoder: Any, out_features: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.head = nn.Conv2d(decoder.width, out_features, 1)

    def forward(self, features: Features) -> Tensor:
        logits: Tensor = self.head(self.decoder({self.own: features}).tensor)
        return logits
