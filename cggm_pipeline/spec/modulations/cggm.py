"""Classifier-guided gradient modulation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation

Preset = Literal["paper", "released", "stable"]


class CGGM(ModulationSpec):
    """Classifier-guided gradient modulation.

    Each modality gets a small classifier that reads its detached features (in preset "stable" it teaches its encoder as
    well). Encoders whose classifier gains less than the others get larger gradients; the head's gradient is pulled
    towards the classifiers'. Preset "stable" has a B_i of its own: docs/decisions/0002-stable-preset.md.
    """

    source: ClassVar[str] = "Guo et al., NeurIPS 2024 (arXiv 2411.01409)"
    equation: ClassVar[str] = (
        "B_i = (S - d_i) / S,  d_i = eps_i(t) - eps_i(t-1),  S = sum_k d_k + 1e-8;  eps_i: score of classifier i\n"
        "grad(encoder i) <- rho B_i grad;  L <- L + lam / M sum_i (|B_i| - B_i cos(g, g_i))"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; no extra pass through the network "
        "(measured by benchmarks/cggm_step.py)"
    )
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#cggm"
    trains_classifiers: ClassVar[bool] = True
    off: ClassVar[dict[str, Any] | None] = {"rho": None, "lam": 0.0}
    per_micro_batch: ClassVar[str] = "the direction term is each micro-batch's own"

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers; from the loss to the head once more"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["cggm"]
    preset: Preset = Field(
        description="the equations, the authors' code, or ours (docs/decisions/0002-stable-preset.md)"
    )
    rho: Annotated[float, Field(ge=0)] | None = Field(
        1.3, description="strength of the magnitude; null switches it off"
    )
    lam: Annotated[float, Field(ge=0)] = Field(
        0.2, description="strength of the direction (stable: of the classifiers' say); 0 switches it off, at no cost"
    )
    normalise: bool = Field(False, description="multiply B_i by M/(M-1), so that its neutral value is 1 for every M")

    def effective(self) -> ModulationSpec:
        return NoModulation() if self.rho is None and self.lam == 0 else self
