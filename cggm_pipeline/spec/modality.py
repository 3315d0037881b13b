"""One modality of an experiment, or of a dataset of features."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cggm_pipeline.spec.base import Spec
from cggm_pipeline.spec.encoders import Encoder
from cggm_pipeline.spec.transforms import Transform


class Modality(Spec):
    """One modality: its transforms, in order, and its encoder."""

    encoder: Encoder = Field(description="from the modality's values to features")
    transforms: Annotated[tuple[Transform, ...], Field(strict=False)] = Field(
        (), description="what happens to the values before, in this order"
    )

    def files(self) -> tuple[str, ...]:
        """What encoder and transforms may read in the project besides data: weights, tokenizers."""
        return (*self.encoder.files(), *(path for transform in self.transforms for path in transform.files()))
