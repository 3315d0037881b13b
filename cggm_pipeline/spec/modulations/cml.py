"""Calibrating multimodal learning."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec


class CML(ModulationSpec):
    """Calibrating multimodal learning.

    Modalities are removed one by one in a random order; confidence must not grow on the way, and every subset learns.
    """

    source: ClassVar[str] = "Ma et al., ICML 2023 (arXiv 2306.01265)"
    equation: ClassVar[str] = (
        "L <- (1/M) sum_k L(f_(S_k), y) + lam sum_k mean_i max(0, conf_i(f_(S_k)) - conf_i(f_(S_(k-1))))\n"
        "S_0 = all, S_k = S_(k-1) without one, down to one;  conf = max_c softmax(f)_c"
    )
    cost: ClassVar[str] = "no parameters; fusion and head M - 1 times more, forward and backward"
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#cml"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    forwards: ClassVar[str] = "fusion and head M - 1 times"
    backwards: ClassVar[str] = "fusion and head M - 1 times"

    kind: Literal["cml"]
    lam: Annotated[float, Field(ge=0)] = Field(
        0.1, description="of the rises of confidence; 0 leaves the mean of losses"
    )
