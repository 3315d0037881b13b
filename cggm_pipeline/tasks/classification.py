"""Classification into one of C classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from cggm_pipeline.tasks.base import Task, full_precision
from cggm_pipeline.tasks.losses.cross_entropy import CrossEntropy
from cggm_pipeline.tasks.measures import classification_metrics

Loss = Callable[[Tensor, Tensor], Tensor]

_CROSS_ENTROPY = CrossEntropy()


class Classification(Task):
    """Logits (B, C), target (B,) class indices; the score is the accuracy on the batch."""

    criterion = ("accuracy", "max")
    higher_is_better: Mapping[str, bool] = MappingProxyType(
        {
            "accuracy": True,
            "f1_macro": True,
            "f1_weighted": True,
            "balanced_accuracy": True,
            "nll": False,
            "ece": False,
        }
    )

    def __init__(self, out_features: int, *, loss: Loss = _CROSS_ENTROPY) -> None:
        self.out_features = out_features
        self._loss = loss

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return self._loss(full_precision(logits), target)

    @torch.no_grad()
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.argmax(1) == target).double().mean()  # float64: equal counts give equal scores

    @torch.no_grad()
    def predict(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def label(self, prediction: Tensor) -> Tensor:
        """The most probable class, (B,) int64."""
        return prediction.argmax(1)

    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """accuracy, macro and weighted F1, balanced accuracy, negative log-likelihood (nats), ECE over 15 bins."""
        return classification_metrics(logits, target)
