"""Joint training plus one loss per modality, on a classifier that is not detached from its encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class UnimodalLosses(ModulationSpec):
    """Joint training plus one loss per modality, on a classifier that is not detached from its encoder."""

    source: ClassVar[str] = "the multi-task baseline of Wang et al. 2020 and Wei & Hu 2024"
    equation: ClassVar[str] = "L <- L + weight * sum_i L(c_i(h_i), y)"
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; no extra pass through the network"
    )
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "baseline"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["unimodal_losses"]
    weight: Positive = Field(1.0, description="of the modalities' losses beside the task's")
