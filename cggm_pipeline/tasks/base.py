"""The promise every task keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.tasks.meter import Collected, Meter

__all__ = ["Meter", "Task"]


class Task(ABC):
    """What is predicted. `criterion` is the metric that selects the best epoch and whether more of it is better.

    `higher_is_better`: everything that is measured on every split, and its direction.
    """

    out_features: int
    criterion: tuple[str, str]
    higher_is_better: Mapping[str, bool]

    @abstractmethod
    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The scalar training loss, a mean over the batch, differentiable twice."""

    @abstractmethod
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar in [0, 1], more is better, on the device of `logits`, without gradient. CGGM compares it."""

    @abstractmethod
    def predict(self, logits: Tensor) -> Tensor:
        """What a user reads: class probabilities (B, C, ...) or values (B, K)."""

    @abstractmethod
    def label(self, prediction: Tensor) -> Tensor:
        """The target that a prediction (what `predict` gives, or a mean of such) stands for, as `loss` reads one."""

    @abstractmethod
    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """All metrics of a whole split, computed once at its end on the host (scikit-learn)."""

    def samples(self, logits: Tensor, target: Tensor) -> dict[str, np.ndarray]:
        """See `Meter.samples`; none by default, where the report computes them from predictions and targets itself."""
        return {}

    def meter(self, groups: Sequence[str] | None = None, *, full: bool = False) -> Meter:
        """A meter for one pass over a split. `groups`: the case of every sample, where samples belong to cases.

        `full`: also what is slow to measure, and is measured of the test split alone.
        """
        return Collected(self.loss, self.metrics, self.samples)


def full_precision(logits: Tensor) -> Tensor:
    """The logits in at least float32: half precision rounds labels and class weights, and loses sums over pixels."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
