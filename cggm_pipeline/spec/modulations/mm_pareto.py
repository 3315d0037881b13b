"""MMPareto: Pareto integration of multimodal and unimodal gradients."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class MMPareto(ModulationSpec):
    """MMPareto: Pareto integration of multimodal and unimodal gradients.

    Each encoder follows a direction that neither the joint loss nor its own modality's loss objects to, at least gamma
    times as long as their plain sum.
    """

    source: ClassVar[str] = "Wei & Hu, ICML 2024 (arXiv 2405.17730)"
    equation: ClassVar[str] = (
        "h_m = 2 a g + 2 (1 - a) g_m,  g = dL/dtheta_m,  g_m = dL(c_m(h_m), y)/dtheta_m\n"
        "a = 1/2 where <g, g_m> > 0, else argmin |a g + (1 - a) g_m|\n"
        "paper: grad_m <- gamma h |g + g_m|/|h|    released: gamma h max(1, |g + g_m|/|h|), tensor by tensor"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; one more backward pass through the "
        "encoders"
    )
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#mmpareto"
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers; the encoders once more"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["mm_pareto"]
    gamma: Positive = Field(1.5, description="factor on the length of the encoders' gradients")
    form: Literal["paper", "released"] = Field("paper", description="whose length: of the whole encoder, or per tensor")
