"""What a preset of CGGM decides: how scores become coefficients and guidance, and the direction term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._alignment import Alignment
from cggm_pipeline.modulations._head import Head
from cggm_pipeline.modulations.base import Step

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class View:
    """What a direction term sees of one micro-batch. Sequences run over the modalities, sorted by name.

    `losses`: the classifiers', in the graph (empty in `advance_`). `places`: the columns of the head's weight that each
    classifier's head is compared with.
    """

    step: Step
    head: Head
    loss: Loss
    heads: Sequence[Head]
    losses: Sequence[Tensor]
    places: Sequence[slice]


class Coefficients(nn.Module, ABC):
    """eps -> B. What it remembers between steps is a buffer. `neutral`: B where every modality gains alike."""

    neutral: float

    @abstractmethod
    def forward(self, scores: Tensor) -> Tensor:
        """B (M,) from this optimiser step's scores eps (M,), in float64. Changes nothing, may be asked repeatedly."""

    @abstractmethod
    def advance_(self, scores: Tensor, fused: Tensor) -> None:
        """Called once per optimiser step, after `forward`: remember the scores (M,) and the fused prediction's ()."""

    def guidance(self) -> Tensor | None:
        """What multiplies, per modality (M,), the gradient that classifier i's loss sends into encoder i.

        None: the classifiers read features cut from the graph. The same throughout an optimiser step.
        """
        return None


class Direction(nn.Module, ABC):
    """The term L_gm of the loss."""

    @abstractmethod
    def forward(self, coefficients: Tensor, view: View) -> Tensor:
        """L_gm of one micro-batch (without lam), in the graph, so that one ordinary backward pass carries it."""

    @abstractmethod
    def advance_(self, coefficients: Tensor, view: View) -> Alignment:
        """Called once per optimiser step, after backward: what to log, and what to remember."""


@dataclass(frozen=True)
class Preset:
    """One choice of each. `direction` None: the head's gradient is left as it is."""

    coefficients: Coefficients
    direction: Direction | None


def linear_term(value: Tensor, slope: Tensor, point: Tensor) -> Tensor:
    """A term worth `value` (a constant) whose gradient with respect to `point` is `slope`."""
    return value + (slope * (point - point.detach())).sum()


def precise(device: torch.device) -> torch.dtype:
    """What scores are kept in: differences of scores are divided by 1e-8, so float32 only where there is no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
