"""What every transform promises, and every front end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.manifest import Statistics


class FrontEnd(ABC):
    """A function on one sample of a modality, on the host, while batches are loaded; the first of the transforms.

    For what cannot stand in a batch as it is: images of varying size, text, sound. `stacks`: all results have one
    shape, and a batch is a stack of them; else results are (T, ...) with T free, and a batch pads them with zeros and
    has a mask. Several threads call one front end at a time.
    """

    stacks: ClassVar[bool] = False
    augments: ClassVar[bool] = False
    reads_statistics: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, sample: np.ndarray) -> np.ndarray:
        """The sample that takes part in the batch, from one as `Split.take` gives it (text: UTF-8 bytes, uint8).

        Its dtype is float32, or int64 for indices. A sample that lacks the modality is given as its zeros, and the
        result is replaced by zeros.
        """

    def after(self, statistics: Statistics) -> Statistics | None:
        """The training statistics of its output; by default unknown, so that `normalise` needs mean and std."""
        return None


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

    def after(self, statistics: Statistics) -> Statistics | None:
        """The training statistics of its output, for a `normalise` behind it; by default those of its input."""
        return statistics

    def front_end(self) -> FrontEnd | None:
        """The same sample by sample, for images that vary in size; null where it cannot give them one size."""
        return None
