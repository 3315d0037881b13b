"""Transforms: what happens to one modality's values between disk and encoder, in this order."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Positive, Rate

Floats = Annotated[tuple[float, ...], Field(min_length=1, strict=False)]


class TransformSpec(Kind):
    """A transform. `ranks` are the ranks (without the batch axis) of the values it takes."""

    ranks: ClassVar[frozenset[int]] = frozenset({1, 2, 3})

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of a sample after it."""
        return shape

    def per_channel(self) -> dict[str, int]:
        """Fields that hold one number, or one per channel, and how many they hold."""
        return {}


class Resize(TransformSpec):
    """Images (C, H, W) to `size` (H, W), bilinear with antialiasing."""

    ranks: ClassVar[frozenset[int]] = frozenset({3})

    kind: Literal["resize"]
    size: Annotated[tuple[Count, Count], Field(strict=False)] = Field(description="height and width, in pixels")

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], *self.size)


class Normalise(TransformSpec):
    """(x - mean) / std per channel (first axis of images, last axis otherwise).

    `mean` and `std` null: the training split's, from the manifest.
    """

    kind: Literal["normalise"]
    mean: Floats | None = Field(None, description="one number, or one per channel; null: of the training split")
    std: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)] | None = Field(
        None, description="one number, or one per channel; null: of the training split"
    )

    def per_channel(self) -> dict[str, int]:
        return {name: len(held) for name, held in (("mean", self.mean), ("std", self.std)) if held is not None}


class Scale(TransformSpec):
    """x * factor, e.g. 1/255 for 8-bit images."""

    kind: Literal["scale"]
    factor: float = Field(description="of every value")


class Flip(TransformSpec):
    """Augmentation: mirror an image left to right with probability `probability`. Training only."""

    ranks: ClassVar[frozenset[int]] = frozenset({3})

    kind: Literal["flip"]
    probability: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="of an image to be mirrored")


class Shift(TransformSpec):
    """Augmentation: move an image by up to `pixels` in both directions, filling with zeros. Training only."""

    ranks: ClassVar[frozenset[int]] = frozenset({3})

    kind: Literal["shift"]
    pixels: Count = Field(1, description="the largest move, up or down, left or right")


class Noise(TransformSpec):
    """Augmentation: add Gaussian noise of standard deviation `std`. Training only."""

    kind: Literal["noise"]
    std: Positive = Field(description="standard deviation, in the unit of the values")


class Mask(TransformSpec):
    """Augmentation: set a share `rate` of the time steps of a sequence (T, D) to zero. Training only."""

    ranks: ClassVar[frozenset[int]] = frozenset({2})

    kind: Literal["mask"]
    rate: Rate = Field(0.1, description="probability of a time step to be zeroed")


Transform = Annotated[
    Resize | Normalise | Scale | Flip | Shift | Noise | Mask,
    Field(discriminator="kind"),
]
