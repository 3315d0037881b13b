"""Regression of real values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from cggm_pipeline.tasks.base import Task, full_precision
from cggm_pipeline.tasks.losses.l1 import L1
from cggm_pipeline.tasks.measures import regression_metrics

Loss = Callable[[Tensor, Tensor], Tensor]

_L1 = L1()


class Regression(Task):
    """Values (B, K), target (B, K), or (B,) where K = 1.

    `score`: "sign", the share of values on the right side of zero (zero counts as negative, as in CGGM's code), or
    "exp_loss", exp(-loss) on the batch.
    """

    criterion = ("mae", "min")
    higher_is_better: Mapping[str, bool] = MappingProxyType({"mae": False, "rmse": False, "corr": True, "r2": True})

    def __init__(self, out_features: int, *, loss: Loss = _L1, score: Literal["sign", "exp_loss"] = "exp_loss") -> None:
        self.out_features = out_features
        self._loss = loss
        self._score = {"sign": self._sign, "exp_loss": self._exp_loss}[score]

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = full_precision(logits)
        return self._loss(logits, shaped(target, logits))

    @torch.no_grad()
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = full_precision(logits)
        return self._score(logits, shaped(target, logits))

    def _sign(self, logits: Tensor, target: Tensor) -> Tensor:
        return ((logits > 0) == (target > 0)).double().mean()

    def _exp_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return (-self._loss(logits, target)).exp()

    @torch.no_grad()
    def predict(self, logits: Tensor) -> Tensor:
        return logits.detach()

    def label(self, prediction: Tensor) -> Tensor:
        """The values themselves."""
        return prediction

    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """Mean absolute error, root mean squared error, Pearson correlation, R^2; over columns their mean."""
        return regression_metrics(logits, target)


def shaped(target: Tensor, logits: Tensor) -> Tensor:
    """The target in the logits' shape and type: (B,) against (B, 1) would broadcast to (B, B) without a word."""
    return target.to(logits.dtype).view_as(logits)
