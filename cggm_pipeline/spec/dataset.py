"""The dataset document: specs/datasets/NAME.yaml. One prepare stage each, shared by every experiment that names it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Slug, Spec
from cggm_pipeline.spec.sources import Size, Source, Split


class Shape(Spec):
    """The shape of one sample of a modality, without the batch axis: (D), (T, D) or (C, H, W); null: varies.

    `dtype: text` is a string per sample (shape empty).
    """

    shape: Annotated[tuple[Size, ...], Field(max_length=4, strict=False)] = Field(
        description="sizes of one sample, without the batch axis; null where a size varies"
    )
    dtype: Literal["float32", "float16", "int64", "int16", "uint8", "text"] = Field(
        "float32", description="of the values on disk; text: a string per sample"
    )


class Classes(Kind):
    """A class index per sample; `names` are optional and in index order."""

    kind: Literal["classes"]
    number: Annotated[int, Field(ge=2)] = Field(description="of classes")
    names: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        None, description="in the order of their index"
    )


class Values(Kind):
    """`width` real numbers per sample."""

    kind: Literal["values"]
    width: Count = Field(1, description="numbers per sample")


class Mask(Kind):
    """A class index per pixel of every sample, (H, W) uint8; class 0 is the background."""

    kind: Literal["mask"]
    number: Annotated[int, Field(ge=2, le=255)] = Field(description="of classes, background included")
    shape: Annotated[tuple[Count, Count], Field(strict=False)] = Field(description="height and width of a mask")
    names: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        None, description="in the order of their index"
    )


Target = Annotated[Classes | Values | Mask, Field(discriminator="kind")]


class Dataset(Spec):
    """What the raw data are, how they are split, and the shapes that `prepare` will check."""

    version: Literal[1]
    kind: Literal["dataset"]
    description: str = Field("", description="free text; changes no result")
    source: Source = Field(description="the raw data")
    split: Split = Field(description="who is in train, valid and test")
    modalities: Annotated[dict[Slug, Shape], Field(min_length=1, max_length=100)] = Field(
        description="their shapes, by name; `prepare` checks them"
    )
    target: Target = Field(description="what is predicted")
