"""Sentiment on a scale: regression, measured as the field measures it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.tasks.base import Task, full_precision
from cggm_pipeline.tasks.losses.l1 import L1
from cggm_pipeline.tasks.regression import shaped
from cggm_pipeline.tasks.scales import SCALES, sentiment_metrics, sentiment_samples

Loss = Callable[[Tensor, Tensor], Tensor]

_L1 = L1()


class Sentiment(Task):
    """Values (B, 1), target (B, 1) or (B,). `scale`: "mosi" is -3 .. 3, "sims" is -1 .. 1.

    The score is the share of values on the right side of zero; zero counts as negative, as in CGGM's code.
    """

    criterion = ("mae", "min")

    def __init__(self, out_features: int, *, loss: Loss = _L1, scale: Literal["mosi", "sims"] = "mosi") -> None:
        self.out_features = out_features
        self._loss, self._scale = loss, scale
        binary = ("acc2", "f1", "acc2_nonzero", "f1_nonzero")
        self.higher_is_better = {"mae": False, "corr": True, **dict.fromkeys((*SCALES[scale], *binary), True)}

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = full_precision(logits)
        return self._loss(logits, shaped(target, logits))

    @torch.no_grad()
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        return ((logits > 0) == (shaped(target, logits) > 0)).double().mean()

    @torch.no_grad()
    def predict(self, logits: Tensor) -> Tensor:
        return logits.detach()

    def label(self, prediction: Tensor) -> Tensor:
        """The values themselves."""
        return prediction

    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """MAE, correlation, the scale's accuracies, Acc-2 and F1 under both conventions; see docs/metrics.md."""
        return sentiment_metrics(logits, target, self._scale)

    def samples(self, logits: Tensor, target: Tensor) -> dict[str, np.ndarray]:
        return sentiment_samples(logits, target, self._scale)
