"""Unimodal teachers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count
from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation


class UMT(ModulationSpec):
    """Pulls each encoder's features to those of a frozen encoder that was trained on its modality alone.

    The teachers are trained before the first epoch: copies of the encoders, each under a classifier of its own.
    """

    source: ClassVar[str] = "Du et al., ICML 2023 (arXiv 2305.01233)"
    equation: ClassVar[str] = "L <- L + lam * sum_m MSE(z_m, t_m(x_m)),  t_m: the teacher of modality m"
    cost: ClassVar[str] = (
        "one more forward pass through the encoders, without a graph; the teachers' own training before the first epoch"
    )
    known: ClassVar[str] = "teachers, lam and absent samples: docs/paper-vs-code.md#umt-and-ume"
    trains_classifiers: ClassVar[bool] = True
    compares_features: ClassVar[bool] = True
    off: ClassVar[dict[str, Any] | None] = {"lam": 0.0}

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "penalty", "modulate_")
    forwards: ClassVar[str] = "M encoders; one rehearsal"
    backwards: ClassVar[str] = "one rehearsal"
    parameters: ClassVar[str] = "M classifiers, before the first epoch; M frozen encoders"

    kind: Literal["umt"]
    lam: Annotated[float, Field(ge=0)] = Field(10.0, description="strength of the pull; 0 switches it off")
    epochs: Count | None = Field(None, description="of the teachers' training; null: as many as the network's")

    def effective(self) -> ModulationSpec:
        return NoModulation() if self.lam == 0 else self
