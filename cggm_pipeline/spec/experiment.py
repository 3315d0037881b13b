"""The experiment document: specs/experiments/**/NAME.yaml. One network, one task, one way of training, some seeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Seed, Slug, Spec
from cggm_pipeline.spec.encoders import Encoder
from cggm_pipeline.spec.fills import Fill, Zeros
from cggm_pipeline.spec.fusions import Fusion
from cggm_pipeline.spec.modulations import Classifiers, Modulation, NoModulation
from cggm_pipeline.spec.tasks import Task
from cggm_pipeline.spec.training import Training
from cggm_pipeline.spec.transforms import Transform


class Modality(Spec):
    """One modality: its transforms, in order, and its encoder."""

    encoder: Encoder
    transforms: Annotated[tuple[Transform, ...], Field(strict=False)] = ()


class Experiment(Spec):
    """A composed experiment: `extends` is resolved away before this class sees the document.

    `use` selects some of the modalities (null: all). `description` never changes a result and is tracked by no stage.
    """

    version: Literal[1]
    kind: Literal["experiment"]
    description: str = ""
    data: Slug
    modalities: Annotated[dict[Slug, Modality], Field(min_length=1, max_length=100)]
    use: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100, strict=False)] | None = None
    fill: Fill = Zeros()
    fusion: Fusion
    task: Task
    modulation: Modulation = NoModulation()
    classifiers: Classifiers = Classifiers()
    training: Training
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000, strict=False)] = (0,)

    def used(self) -> dict[str, Modality]:
        """The modalities that take part, in the order of the document."""
        names = self.modalities if self.use is None else self.use
        return {name: self.modalities[name] for name in self.modalities if name in names}
