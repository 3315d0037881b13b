"""A dataset of frozen features: another dataset's modalities behind encoders that are never trained."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Slug
from cggm_pipeline.spec.modality import Modality
from cggm_pipeline.spec.source import SourceSpec


class Features(SourceSpec):
    """What frozen encoders say about the dataset `data`: computed once, by a stage of its own, read from disk after.

    Ids, targets and splits are those of `data`; a modality without an encoder here is left out. Augmenting transforms
    are refused. Each modality's shape and dtype (float16 for half precision) are those that the document declares.
    """

    source: ClassVar[str] = "frozen BERT and ViT of Guo et al. 2024 (CGGM), whose code runs them in every step"
    stage: ClassVar[str] = "features"
    groups: ClassVar[bool | None] = None
    masks: ClassVar[bool | None] = None

    kind: Literal["features"]
    data: Slug = Field(description="a dataset: a file of specs/datasets/ without .yaml")
    modalities: Annotated[dict[Slug, Modality], Field(min_length=1, max_length=100)] = Field(
        description="transforms and encoder of each modality, by the names that `data` has"
    )
    batch_size: Count = Field(
        64, description="samples per forward pass; part of the protocol, it changes the last bits"
    )

    def splits(self) -> bool:
        return True

    def files(self) -> tuple[str, ...]:
        return tuple(path for modality in self.modalities.values() for path in modality.files())

    def upstream(self) -> str | None:
        return self.data
