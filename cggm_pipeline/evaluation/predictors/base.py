"""The promise every predictor keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor, nn

from cggm_pipeline.layers.features import Input

Ask = Callable[[Mapping[str, Input]], Tensor]
"""One pass over a split: the inputs of each batch, in order, to logits (B, out_features, ...)."""


class Predictor(ABC):
    """A way to get logits out of a trained network. Built as `Class(task, *, ...)`, its own parameters keyword-only.

    Called inside `evaluating`: the network is in eval mode and nothing has a graph. Evaluation and prediction call the
    same object, and so does training's validation, unless the predictor adapts: it gets inputs alone and never
    targets, but what it would adapt to there are the data that the network was trained for (`selecting`).

    `batch_size`: how many samples it is asked at a time (None: as many as fit into memory).
    """

    batch_size: int | None = None

    @abstractmethod
    def __call__(self, network: nn.Module, inputs: Mapping[str, Input]) -> Tensor:
        """Logits (B, out_features, ...) of a batch, as the first one of a pass."""

    def open(self, network: nn.Module) -> Ask:
        """Begin a pass over a split. What a predictor learns on the way it keeps in a copy of the network."""
        return partial(self, network)

    def check(self, network: nn.Module) -> None:  # noqa: B027  (most have nothing to refuse)
        """Raise BuildError where the predictor would do nothing with this network. Reads no values: it may be on the
        meta device.
        """

    @property
    def selecting(self) -> Predictor:
        """The predictor with which training's validation selects an epoch, and with which calibration is fitted."""
        return self
