"""Meters: what is measured of a split, batch by batch, so that no split of logits need fit into memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Metrics = Callable[[Tensor, Tensor], dict[str, float]]
Samples = Callable[[Tensor, Tensor], dict[str, np.ndarray]]


class Meter(ABC):
    """Takes every sample of a split once, in the split's order, and tells its metrics at the end."""

    @abstractmethod
    def add(self, logits: Tensor, target: Tensor) -> None:
        """The next samples. Nothing goes to the host here, except where a metric is computed there (HD95)."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """`loss` and all metrics of what was added, as numbers on the host."""

    @abstractmethod
    def samples(self) -> dict[str, np.ndarray]:
        """Metric to its value of every sample (of every case, where samples belong to cases), float64 (N,), in order.

        Only metrics whose value of the split is the mean of these: the report draws samples anew from them.
        """


class Collected(Meter):
    """Keeps logits and targets on their device and measures them as a whole: for outputs of a few numbers a sample."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], metrics: Metrics, samples: Samples) -> None:
        self._loss, self._metrics, self._samples = loss, metrics, samples
        self._logits: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, logits: Tensor, target: Tensor) -> None:
        self._logits.append(logits)
        self._targets.append(target)

    def result(self) -> dict[str, float]:
        logits, target = torch.cat(self._logits), torch.cat(self._targets)
        loss = self._loss(logits.float(), target).item()
        return {"loss": loss, **self._metrics(logits.cpu(), target.cpu())}

    def samples(self) -> dict[str, np.ndarray]:
        return self._samples(torch.cat(self._logits).cpu(), torch.cat(self._targets).cpu())
