"""What every transform promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from cggm_pipeline.data.manifest import Statistics


class Transform(ABC):
    """A function on a batch of one modality. `augments`: it is random, and acts in training only.

    `reads_statistics`: its first argument is the modality's `Statistics` over the training split.
    """

    augments: ClassVar[bool] = False
    reads_statistics: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator) -> Tensor:
        """New values for `values`, (B, D), (B, T, D) or (B, C, H, W) float32, never in place.

        `mask`: (B, T) bool, True where a step is padding. Random numbers come from `generator`, which is on the values'
        device. What is written to padding and to absent samples is wiped afterwards.
        """

    def after(self, statistics: Statistics) -> Statistics:
        """The training statistics of its output, for a `normalise` behind it; by default those of its input."""
        return statistics
