"""Transforms: what happens to one modality's values between disk and encoder, in this order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Positive, Rate

Floats = Annotated[tuple[float, ...], Field(min_length=1, strict=False)]


class Resize(Kind):
    """Images (C, H, W) to `size` (H, W), bilinear with antialiasing."""

    kind: Literal["resize"]
    size: Annotated[tuple[Count, Count], Field(strict=False)]


class Normalise(Kind):
    """(x - mean) / std per channel (first axis of images, last axis otherwise).

    `mean` and `std` null: the training split's, from the manifest.
    """

    kind: Literal["normalise"]
    mean: Floats | None = None
    std: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)] | None = None


class Scale(Kind):
    """x * factor, e.g. 1/255 for 8-bit images."""

    kind: Literal["scale"]
    factor: float


class Flip(Kind):
    """Augmentation: mirror an image left to right with probability `probability`. Training only."""

    kind: Literal["flip"]
    probability: Annotated[float, Field(ge=0, le=1)] = 0.5


class Shift(Kind):
    """Augmentation: move an image by up to `pixels` in both directions, filling with zeros. Training only."""

    kind: Literal["shift"]
    pixels: Count = 1


class Noise(Kind):
    """Augmentation: add Gaussian noise of standard deviation `std`. Training only."""

    kind: Literal["noise"]
    std: Positive


class Mask(Kind):
    """Augmentation: set a share `rate` of the time steps of a sequence (T, D) to zero. Training only."""

    kind: Literal["mask"]
    rate: Rate = 0.1


Transform = Annotated[
    Resize | Normalise | Scale | Flip | Shift | Noise | Mask,
    Field(discriminator="kind"),
]
