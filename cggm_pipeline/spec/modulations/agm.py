"""Adaptive gradient modulation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation


class AGM(ModulationSpec):
    """Adaptive gradient modulation: scales what flows back through each modality's Shapley share of the logits."""

    source: ClassVar[str] = "Li et al., ICCV 2023; alpha from the authors' answers (CREMA-D)"
    equation: ClassVar[str] = (
        "L <- L(sum_m phi_m, y), gradient through phi_m times kappa_m;  phi_m: Shapley shares of f(S), f(nothing) = 0\n"
        "kappa_m = exp(alpha min(rhat_m - r_m, cap)),  r_m = exp(M / (M - 1) (mean(s) - s_m)),  rhat_m: r_m of tau\n"
        "s_m = cross-entropy of phi_m, probabilities at least 1e-8;  tau_m: mean of s_m over all steps before"
    )
    cost: ClassVar[str] = "fusion and head 2^M - 2 times more, forward and backward; no parameters"
    known: ClassVar[str] = "zeroes features where the original zeroes inputs: docs/paper-vs-code.md#agm"

    off: ClassVar[dict[str, Any] | None] = {"alpha": 0.0}
    per_micro_batch: ClassVar[str] = "kappa is that of the step's micro-batches so far"

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    forwards: ClassVar[str] = "fusion and head 2^M - 2 times"
    backwards: ClassVar[str] = "fusion and head 2^M - 2 times"

    kind: Literal["agm"]
    alpha: Annotated[float, Field(ge=0)] = Field(1.5, description="strength; 0: off. Authors: 1.5 to 4 by data set")
    cap: Annotated[float, Field(ge=0)] | None = Field(
        10.0, description="most that rhat - r can be; null: none, kappa may overflow"
    )

    def effective(self) -> ModulationSpec:
        """With alpha 0 every kappa is 1."""
        return NoModulation() if self.alpha == 0 else self
