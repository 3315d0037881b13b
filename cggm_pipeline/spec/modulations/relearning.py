"""Diagnosing and re-learning."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count
from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation


class Relearning(ModulationSpec):
    """Diagnosing and re-learning.

    Every few epochs each encoder is drawn back towards its initial weights, the further the more its features cluster
    by class on training data, but not on validation data.
    """

    source: ClassVar[str] = "Wei et al., ECCV 2024 (Diagnosing and Re-learning for Balanced Multimodal Learning)"
    equation: ClassVar[str] = (
        "theta_m <- (1 - a_m) theta_m + a_m theta_m(initial),  a_m = tanh(lam g_m),  g_m = |P_m(train) - P_m(valid)|\n"
        "P_m: purity of k-means (k = classes) on the features of m, each dimension scaled to [-1, 1]"
    )
    cost: ClassVar[str] = (
        "nothing in a step; at most `times` passes over training and validation data and k-means per modality; a copy "
        "of every encoder"
    )
    known: ClassVar[str] = "the rule for three times at most is the code's: docs/paper-vs-code.md#relearning"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    off: ClassVar[dict[str, Any] | None] = {"lam": 0.0}

    family: ClassVar[str] = "parameter"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "modulate_")

    kind: Literal["relearning"]
    lam: Annotated[float, Field(ge=0)] = Field(3.0, description="strength; 0 leaves the encoders alone")
    every: Count = Field(20, description="epochs between two times")
    times: Annotated[int, Field(ge=0)] = Field(3, description="at most so often; 0 never")

    def effective(self) -> ModulationSpec:
        return NoModulation() if self.lam == 0 or self.times == 0 else self
