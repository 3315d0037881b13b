"""Learning to fit the modality gap."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class LFM(ModulationSpec):
    """Mixes the loss of the labels with a loss that brings the modalities together, which needs no labels.

    The release has another such loss than the paper: a divergence of the modalities' predictions.
    """

    source: ClassVar[str] = "Yang et al., NeurIPS 2024"
    equation: ClassVar[str] = (
        "L = (1 - alpha) L_task + alpha L_MM,  L_MM: symmetric InfoNCE of the features (form paper)\n"
        "alpha_t = 1 - exp(-1/t)  or  alpha <- clip(alpha - lr dL_task/dalpha, 0, 1), by implicit differentiation"
    )
    cost: ClassVar[str] = (
        "one product of the features; learned: three more backward passes, and one of second order per iteration"
    )
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#lfm"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    per_micro_batch: ClassVar[str] = "the other samples of a micro-batch are the contrast"
    per_process: ClassVar[str] = "the other samples of a process's batch are the contrast"

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    backwards: ClassVar[str] = "none; learned: 3 + iterations"

    kind: Literal["lfm"]
    form: Literal["paper", "released"] = Field(
        "paper", description="contrast of features, or divergence of predictions"
    )
    integration: Literal["heuristic", "learned"] = Field(
        "heuristic", description="alpha falls with the epoch, or follows its hypergradient"
    )
    temperature: Positive = Field(0.07, description="of the contrast; form paper alone")
    start: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="alpha in the first step; learned alone")
    lr: Positive = Field(1e-4, description="of alpha; learned alone")
    iterations: Count = Field(5, description="of conjugate residuals, towards the inverse Hessian; learned alone")

    def equal_widths(self) -> bool:
        return self.form == "paper"
