"""A shifted dataset: another dataset with noise on some of its modalities, for what was trained on the clean one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive, Seed, Slug
from cggm_pipeline.spec.source import SourceSpec


class Shifted(SourceSpec):
    """The dataset `data` with Gaussian noise: a distribution shift as data, on every split alike.

    Ids, targets, splits and gaps are those of `data`. A sample's noise is drawn from (`seed`, modality, id) alone, in
    units of each channel's standard deviation on the training split of `data`; 8-bit images are rounded and clipped to
    0 .. 255. A modality without noise passes unchanged; text has no noise. `shuffle` puts the samples of each split in
    an order drawn from `seed` and their ids: files are often sorted by class, and whoever adapts batch by batch would
    see one class at a time.
    """

    source: ClassVar[str] = "ours: additive Gaussian noise, as in Hendrycks & Dietterich, ICLR 2019"
    equation: ClassVar[str] = "x <- x + noise_m sd_c e,  e ~ N(0, 1),  sd_c: of channel c on the training split"
    stage: ClassVar[str] = "shift"
    groups: ClassVar[bool | None] = None
    masks: ClassVar[bool | None] = None

    kind: Literal["shifted"]
    data: Slug = Field(description="a dataset: a file of specs/datasets/ without .yaml")
    noise: Annotated[dict[Slug, Positive], Field(min_length=1, max_length=100)] = Field(
        description="by modality, in standard deviations of its channels"
    )
    shuffle: bool = Field(True, description="a random order of each split; false: the order of `data`")
    seed: Seed = Field(0, description="of the noise and of the order")

    def splits(self) -> bool:
        return True

    def upstream(self) -> str | None:
        return self.data
