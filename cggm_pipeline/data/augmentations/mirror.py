"""Mirrored samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cggm_pipeline.data.augmentations.base import Augmentation, Images

AXES = {"height": -2, "width": -1}


class Mirror(Augmentation):
    """Mirror all images of a sample and its mask along each of `axes` with probability `probability`."""

    def __init__(self, *, probability: float = 0.5, axes: Sequence[str] = ("width",)) -> None:
        self.probability = probability
        self.axes = tuple(axes)

    def __call__(
        self, images: Images, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        images = dict(images)
        for axis in (AXES[name] for name in self.axes):
            first = next(iter(images.values()))
            draw = torch.rand(len(first), generator=generator, device=first.device) < self.probability
            images = {name: _mirrored(values, draw, axis) for name, values in images.items()}
            mask = None if mask is None else _mirrored(mask, draw, axis)
        return images, mask


def _mirrored(values: Tensor, which: Tensor, axis: int) -> Tensor:
    return torch.where(which.view(-1, *[1] * (values.ndim - 1)), values.flip(axis), values)
