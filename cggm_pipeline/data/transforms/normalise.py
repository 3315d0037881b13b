"""Zero mean and unit deviation per channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.manifest import Statistics
from cggm_pipeline.data.transforms.base import Transform
from cggm_pipeline.errors import DataError


class Normalise(Transform):
    """(x - mean) / std per channel: the first axis of images (C, H, W), the last axis otherwise.

    `mean` and `std` null: those of `statistics`, the training split's as they are after the transforms before this one
    (a resize counts as leaving them as they are). A channel that never varies in training is only centred.
    """

    reads_statistics: ClassVar[bool] = True

    def __init__(
        self,
        statistics: Statistics | None = None,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        if statistics is None and (mean is None or std is None):
            raise DataError(
                "normalise without mean and std needs the training statistics of the manifest, which has none of text, "
                "nor of what stands behind a tokenise or log_mel; give both"
            )
        self.mean = torch.tensor(statistics.mean if mean is None and statistics else mean)
        deviation = torch.tensor(statistics.std if std is None and statistics else std)
        self.std = torch.where(deviation > 0, deviation, torch.ones_like(deviation))

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator | None) -> Tensor:
        channels = 1 if values.ndim == 4 and mask is None else -1
        if values.ndim == 2 and mask is not None:
            raise DataError(
                "normalise: a sequence of single numbers has no channel axis; declare its shape as [null, 1]"
            )
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, values.shape[channels]):
                raise DataError(f"normalise: {len(numbers)} numbers in {name} for {values.shape[channels]} channels")
        shape = (-1, 1, 1) if channels == 1 else (-1,)
        if self.mean.device != values.device:
            self.mean, self.std = self.mean.to(values.device), self.std.to(values.device)
        return (values - self.mean.view(shape)) / self.std.view(shape)

    def after(self, statistics: Statistics) -> Statistics:
        mean, std = (np.array(numbers.tolist()) for numbers in (self.mean, self.std))
        moved = (np.array(statistics.mean) - mean) / std
        return replace(statistics, mean=tuple(moved.tolist()), std=tuple((np.array(statistics.std) / std).tolist()))
