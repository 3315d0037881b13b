"""The experiment document: specs/experiments/**/NAME.yaml. One network, one task, one way of training, some seeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.adaptation import Adaptation, NoAdaptation
from cggm_pipeline.spec.adapters import Adapter, NoAdapter
from cggm_pipeline.spec.base import Seed, Slug, Spec
from cggm_pipeline.spec.evaluation import Evaluation
from cggm_pipeline.spec.fills import Fill, Zeros
from cggm_pipeline.spec.fusions import Fusion
from cggm_pipeline.spec.modality import Modality
from cggm_pipeline.spec.modulations import Classifiers, Modulation, NoModulation
from cggm_pipeline.spec.patterns import Missing
from cggm_pipeline.spec.predictors import Plain, Predictor
from cggm_pipeline.spec.schedules import Everything, Schedule
from cggm_pipeline.spec.tasks import Task
from cggm_pipeline.spec.training import Training
from cggm_pipeline.spec.transforms import Augmentation
from cggm_pipeline.spec.weights import Weights


class Experiment(Spec):
    """One network, one task, one way of training, some seeds.

    `extends: FILE` starts from another experiment (mappings merge, lists replace); it is resolved away before this
    class sees the document. `use` selects some of the modalities (null: all). `description` never changes a result and
    is tracked by no stage.
    """

    version: Literal[1]
    kind: Literal["experiment"]
    description: str = Field("", description="free text; changes no result")
    data: Slug = Field(description="a dataset: a file of specs/datasets/ without .yaml")
    modalities: Annotated[dict[Slug, Modality], Field(min_length=1, max_length=100)] = Field(
        description="transforms and encoder of each, by the dataset's names"
    )
    use: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100, strict=False)] | None = Field(
        None, description="the modalities that take part; null: all"
    )
    augment: Annotated[tuple[Augmentation, ...], Field(strict=False)] = Field(
        (), description="what happens to all images of a sample and to its mask together, in training"
    )
    missing: Missing = Field(
        Missing(), description="which modalities the samples lack besides those that the data lack"
    )
    fill: Fill = Field(Zeros(), description="what stands in for absent features")
    fusion: Fusion = Field(description="from the features to one z")
    task: Task = Field(description="what is predicted, and its loss")
    weights: Weights | None = Field(None, description="the run whose weights training starts from; null: none")
    adapter: Adapter = Field(NoAdapter(), description="what of the network learns, and what is added to it")
    modulation: Modulation = Field(NoModulation(), description="how the modalities are balanced")
    schedule: Schedule = Field(Everything(), description="which samples, modalities and turns an epoch has")
    classifiers: Classifiers = Field(
        Classifiers(), description="the per-modality classifiers of methods that train them"
    )
    training: Training = Field(description="the loop")
    adaptation: Adaptation = Field(
        NoAdaptation(), description="what the trained network learns from inputs without targets, in stages of its own"
    )
    prediction: Predictor = Field(Plain(), description="how the trained network is asked")
    evaluation: Evaluation = Field(Evaluation(), description="what is measured of the trained network besides")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000, strict=False)] = Field(
        (0,), description="one run each"
    )

    def used(self) -> dict[str, Modality]:
        """The modalities that take part, in the order of the document."""
        names = self.modalities if self.use is None else self.use
        return {name: self.modalities[name] for name in self.modalities if name in names}
