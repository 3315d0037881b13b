"""Modality-informed learning rate scheduler."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.unimodal_losses import UnimodalLosses


class MILES(ModulationSpec):
    """Modality-informed learning rate scheduler.

    Joint training plus one loss per modality; the encoder of the modality that the validation score relies on most
    learns more slowly in the next epoch.
    """

    source: ClassVar[str] = "Guerra-Manzanares & Shamout, IJCNN 2025 (arXiv 2510.17394)"
    equation: ClassVar[str] = (
        "L <- L + weight sum_m L(c_m(h_m), y);  lr(encoder m) <- k_m lr\n"
        "u_m = (S(all) - S(without m)) / S(all),  S: validation score;  two modalities: S(without m) is the other's c\n"
        "k_m = mu where u_m is the largest, unless max u - min u <= tau or every u < 0; otherwise 1"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; one pass over the validation split "
        "per epoch, with more than two modalities fusion and head once more per modality"
    )
    known: ClassVar[str] = "more than two modalities are ours: docs/paper-vs-code.md#miles"
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "rate"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_", "rates", "end_epoch")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["miles"]
    mu: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="factor of the slower rate; 1 slows none")
    tau: Annotated[float, Field(ge=0)] = Field(0.2, description="difference of u up to which none is slowed")
    weight: Positive = Field(1.0, description="of the modalities' losses beside the task's")

    def effective(self) -> ModulationSpec:
        return UnimodalLosses(kind="unimodal_losses", weight=self.weight) if self.mu == 1 else self
