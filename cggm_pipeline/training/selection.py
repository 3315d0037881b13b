"""Which epoch's weights are kept, and when to stop: decided by the validation split alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cggm_pipeline.errors import TrainingError


class Selection:
    """The best epoch so far by `metric` ("max" or "min"; the earlier one wins a tie), with a copy of its weights."""

    def __init__(self, metric: str, mode: str, patience: int | None) -> None:
        self._metric, self._sign, self._patience = metric, 1.0 if mode == "max" else -1.0, patience
        self.epoch: int | None = None
        self.value = math.nan
        self.weights: dict[str, Tensor] = {}

    def see(self, epoch: int, values: Mapping[str, float], network: nn.Module) -> None:
        """An epoch is over; `values` are its validation metrics and `loss`."""
        if self._metric not in values:
            raise TrainingError(
                f"training.selection.metric: {self._metric!r} is not measured; allowed: {', '.join(sorted(values))}"
            )
        value = values[self._metric]
        if self.epoch is None or math.isnan(self.value) or self._sign * value > self._sign * self.value:
            if self.epoch is not None and math.isnan(value):
                return
            self.epoch, self.value = epoch, value
            self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def exhausted(self, epoch: int) -> bool:
        """Whether `patience` epochs have passed without a better one."""
        return self._patience is not None and self.epoch is not None and epoch - self.epoch >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """The choice so far, with the weights."""
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The choice as it was."""
        self.epoch, self.value, self.weights = state["epoch"], state["value"], dict(state["weights"])
