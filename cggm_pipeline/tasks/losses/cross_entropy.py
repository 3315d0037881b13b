"""Softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropy(nn.Module):
    """Mean cross-entropy of logits (B, C) and class indices (B,), with label smoothing and one weight per class.

    With weights the mean is weighted too (divided by the sum of the samples' weights), as in torch. "balanced" is
    resolved to numbers before this class sees it (`cggm_pipeline.build.losses`).
    """

    weight: Tensor | None

    def __init__(self, *, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        weight = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float64)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        weight = None if self.weight is None else self.weight.to(logits.dtype)
        return F.cross_entropy(logits, target, weight=weight, label_smoothing=self.label_smoothing)
