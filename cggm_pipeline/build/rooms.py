"""Which spec classes a room's kinds have. Torch-free, for `cggm list`, `cggm explain` and the contract tests."""

from __future__ import annotations

from collections.abc import Mapping

from cggm_pipeline.build.tables import implementation
from cggm_pipeline.spec.base import Kind
from cggm_pipeline.spec.describe import kinds

UNIONS: Mapping[str, tuple[str, ...]] = {
    "encoders": ("cggm_pipeline.spec.encoders:Encoder",),
    "fills": ("cggm_pipeline.spec.fills:Fill",),
    "fusions": ("cggm_pipeline.spec.fusions:Fusion",),
    "tasks": ("cggm_pipeline.spec.tasks:Task",),
    "losses": (
        "cggm_pipeline.spec.tasks:ClassificationLoss",
        "cggm_pipeline.spec.tasks:RegressionLoss",
        "cggm_pipeline.spec.tasks:SegmentationLoss",
    ),
    "adapters": ("cggm_pipeline.spec.adapters:Adapter",),
    "adaptations": ("cggm_pipeline.spec.adaptation:Adaptation",),
    "modulations": ("cggm_pipeline.spec.modulations:Modulation",),
    "schedules": ("cggm_pipeline.spec.schedules:Schedule",),
    "predictors": ("cggm_pipeline.spec.predictors:Predictor",),
    "transforms": ("cggm_pipeline.spec.transforms:Transform",),
    "augmentations": ("cggm_pipeline.spec.transforms:Augmentation",),
    "patterns": ("cggm_pipeline.spec.patterns:Pattern",),
    "optimizers": ("cggm_pipeline.spec.training:Optimizer",),
    "schedulers": ("cggm_pipeline.spec.training:Scheduler",),
    "sources": ("cggm_pipeline.spec.sources:RawSource",),
    "derived": ("cggm_pipeline.spec.features:Features", "cggm_pipeline.spec.shifted:Shifted"),
    "splits": ("cggm_pipeline.spec.sources:Split",),
    "targets": ("cggm_pipeline.spec.dataset:Target",),
}


def specs(room: str) -> dict[str, type[Kind]]:
    """The kinds of a room and their spec classes, in the order of the union. An unknown room is a KeyError."""
    found: dict[str, type[Kind]] = {}
    for union in UNIONS[room]:
        found |= kinds(implementation(union))
    return found
