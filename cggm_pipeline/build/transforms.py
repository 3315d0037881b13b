"""The transforms of a modality, made from their specs and the training statistics; the augmentations of all."""

from __future__ import annotations

from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.data.augmentations.base import Augmentation
from cggm_pipeline.data.manifest import Manifest
from cggm_pipeline.data.transforms.base import FrontEnd, Transform
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.features import Features


def build_transforms(experiment: Experiment | Features, name: str, manifest: Manifest) -> list[Transform | FrontEnd]:
    """The transforms of modality `name`, in order; a front end can be the first.

    Each that asks for statistics gets the training split's as they are after those before it: `scale` and then
    `normalise` gives zero mean. Raises DataError where a modality without statistics is normalised by them.
    """
    chain: list[Transform | FrontEnd] = []
    statistics = manifest.statistics.get(name)
    for position, spec in enumerate(experiment.modalities[name].transforms):
        cls: type[Transform | FrontEnd] = implementation(TABLES["transforms"][spec.kind])
        with at(f"modalities.{name}.transforms.{position}"):
            step = cls(*([statistics] if cls.reads_statistics else []), **spec.arguments())
        statistics = statistics and step.after(statistics)
        chain.append(step)
    return chain


def build_augmentations(experiment: Experiment) -> list[Augmentation]:
    """What happens to images and masks together in training, in order."""
    return [implementation(TABLES["augmentations"][spec.kind])(**spec.arguments()) for spec in experiment.augment]
