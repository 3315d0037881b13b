"""The promise every predictor keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from cggm_pipeline.layers.features import Input


class Predictor(ABC):
    """A way to get logits out of a trained network. Built as `Class(*, ...)`, its parameters keyword-only.

    Called inside `evaluating`: the network is in eval mode and nothing has a graph. Training's validation, evaluation
    and prediction all call the same object, so that a model is selected by what it is measured with.
    """

    @abstractmethod
    def __call__(self, network: nn.Module, inputs: Mapping[str, Input]) -> Tensor:
        """Logits (B, out_features, ...) of a batch."""
