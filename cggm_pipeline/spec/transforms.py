"""Transforms: what happens to one modality's values between disk and encoder, in this order."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, HubName, Kind, Positive, Rate

Floats = Annotated[tuple[float, ...], Field(min_length=1, strict=False)]


class TransformSpec(Kind):
    """A transform. `ranks` are the ranks (without the batch axis) of the values it takes.

    `reads`, `gives`: what stands before and behind it. `front_end`: it acts per sample on the host, as the first.
    `moves`: pixels leave their place, so that a mask would no longer be theirs.
    `augments`: it is random, and acts in training only.
    """

    ranks: ClassVar[frozenset[int]] = frozenset({1, 2, 3})
    reads: ClassVar[Literal["numbers", "text"]] = "numbers"
    gives: ClassVar[Literal["numbers", "ids"]] = "numbers"
    front_end: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    augments: ClassVar[bool] = False

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of a sample after it."""
        return shape

    def files(self) -> tuple[str, ...]:
        """What it may read in the project besides data. A name of a hub counts only where it is a path."""
        return ()

    def ids(self) -> int | None:
        """How many ids it gives, 0 .. n - 1; null where it gives none, or only its files know."""
        return None

    def per_channel(self) -> dict[str, int]:
        """Fields that hold one number, or one per channel, and how many they hold."""
        return {}

    def fault(self) -> tuple[str, str] | None:
        """A field that does not go with the others, and why; null where all do."""
        return None


class Resize(TransformSpec):
    """Images (C, H, W) to `size` (H, W), bilinear with antialiasing."""

    ranks: ClassVar[frozenset[int]] = frozenset({3})
    moves: ClassVar[bool] = True

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
    augments: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    kind: Literal["flip"]
    probability: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="of an image to be mirrored")


class Shift(TransformSpec):
    """Augmentation: move an image by up to `pixels` in both directions, filling with zeros. Training only."""

    ranks: ClassVar[frozenset[int]] = frozenset({3})
    augments: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    kind: Literal["shift"]
    pixels: Count = Field(1, description="the largest move, up or down, left or right")


class Noise(TransformSpec):
    """Augmentation: add Gaussian noise of standard deviation `std`. Training only."""

    augments: ClassVar[bool] = True

    kind: Literal["noise"]
    std: Positive = Field(description="standard deviation, in the unit of the values")


class Mask(TransformSpec):
    """Augmentation: set a share `rate` of the time steps of a sequence (T, D) to zero. Training only."""

    ranks: ClassVar[frozenset[int]] = frozenset({2})
    augments: ClassVar[bool] = True

    kind: Literal["mask"]
    rate: Rate = Field(0.1, description="probability of a time step to be zeroed")


class Tokenise(TransformSpec):
    """Text to token ids (T), by a tokenizer of Hugging Face transformers; on the host, as batches are loaded."""

    reads: ClassVar[Literal["numbers", "text"]] = "text"
    gives: ClassVar[Literal["numbers", "ids"]] = "ids"
    front_end: ClassVar[bool] = True

    kind: Literal["tokenise"]
    tokenizer: HubName = Field(description="a hub id (bert-base-uncased) or a folder inside the project")
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        None, description="commit of the hub's tokenizer; null: its newest"
    )
    max_length: Annotated[int, Field(ge=2, le=100_000)] = Field(50, description="longest sequence; the rest is cut off")

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None,)

    def files(self) -> tuple[str, ...]:
        return (self.tokenizer,)


class HashWords(TransformSpec):
    """Text to word ids (T): each word's hash, without a vocabulary; on the host, as batches are loaded."""

    source: ClassVar[str] = "the hashing trick, Weinberger et al. 2009 (ICML)"
    equation: ClassVar[str] = "id = 1 + BLAKE2b(word) mod (buckets - 1);  0 is padding"
    reads: ClassVar[Literal["numbers", "text"]] = "text"
    gives: ClassVar[Literal["numbers", "ids"]] = "ids"
    front_end: ClassVar[bool] = True

    kind: Literal["hash_words"]
    buckets: Annotated[int, Field(ge=2, le=2**24)] = Field(4096, description="ids, that of padding included")
    max_length: Annotated[int, Field(ge=1, le=100_000)] = Field(50, description="most words; the rest is cut off")

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None,)

    def ids(self) -> int | None:
        return self.buckets


class LogMel(TransformSpec):
    """Sound (T), or (T, channels), to log-mel frames (frames, mels); on the host, as batches are loaded."""

    ranks: ClassVar[frozenset[int]] = frozenset({1, 2})
    front_end: ClassVar[bool] = True

    kind: Literal["log_mel"]
    rate: Count = Field(16_000, description="samples per second of the sound")
    mels: Count = Field(64, description="bands")
    window: Positive = Field(0.025, description="length of a frame, in seconds")
    hop: Positive = Field(0.010, description="between two frames, in seconds")
    low: Annotated[float, Field(ge=0)] = Field(20.0, description="lower edge of the lowest band, in Hz")
    high: Positive | None = Field(None, description="upper edge of the highest band, in Hz; null: half the rate")
    frames: Count | None = Field(None, description="of every sound, cut or padded with silence; null: as it is long")

    def shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (self.frames, self.mels)

    def fault(self) -> tuple[str, str] | None:
        half = self.rate / 2
        if self.high is not None and self.high > half:
            return "high", f"{self.high:g} Hz is more than half of the rate, {half:g} Hz"
        if self.low >= (self.high or half):
            return "low", f"the bands end at {self.high or half:g} Hz, before they begin"
        return None


Transform = Annotated[
    Resize | Normalise | Scale | Flip | Shift | Noise | Mask | Tokenise | HashWords | LogMel,
    Field(discriminator="kind"),
]


class Crop(Kind):
    """Cut `size` out of images and mask, at a random place, or in the middle; training only."""

    kind: Literal["crop"]
    size: Annotated[tuple[Count, Count], Field(strict=False)] = Field(description="height and width, in pixels")
    at: Literal["random", "middle"] = Field("random", description="where it is cut")


class Mirror(Kind):
    """Mirror images and mask together, along each axis with probability `probability`; training only."""

    kind: Literal["mirror"]
    probability: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="per sample and axis")
    axes: Annotated[tuple[Literal["height", "width"], ...], Field(min_length=1, strict=False)] = Field(
        ("width",), description="which axes"
    )


Augmentation = Annotated[Crop | Mirror, Field(discriminator="kind")]
"""What happens to all images of a sample and to its mask together, in training."""
