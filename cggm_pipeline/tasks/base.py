"""The promise every task keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Task(ABC):
    """What is predicted. `criterion` is the metric that selects the best epoch and whether more of it is better."""

    out_features: int
    criterion: tuple[str, str]
    higher_is_better: ClassVar[dict[str, bool]]

    @abstractmethod
    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The scalar training loss, a mean over the batch, differentiable twice."""

    @abstractmethod
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar in [0, 1], more is better, on the device of `logits`, without gradient. CGGM compares it."""

    @abstractmethod
    def predict(self, logits: Tensor) -> Tensor:
        """What a user reads: class probabilities (B, C) or values (B, K)."""

    @abstractmethod
    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """All metrics of a whole split, computed once at its end on the host (scikit-learn)."""
