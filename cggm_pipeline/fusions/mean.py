"""The mean of equally wide features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.widths import one_width


class Mean(Fusion):
    """z = mean_m h_m over the features that are given, so that ONE head serves every modality and any subset of them.

    logits = W z + b = mean_m (W h_m + b): the mean of what the shared head says of each modality (MLA, Zhang et al.,
    CVPR 2024). BuildError where the features are not equally wide.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})
    subsets: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.width = one_width(widths, "mean")

    def forward(self, features: Mapping[str, Features]) -> Features:
        return Features(torch.stack([features[name].tensor for name in sorted(features)]).mean(0))
