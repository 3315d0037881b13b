"""Balanced multi-modal learning against greedy learning."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count
from cggm_pipeline.spec.modulations.base import ModulationSpec


class Greedy(ModulationSpec):
    """Balanced multi-modal learning: conditional learning speeds of two modalities, kept together.

    Where one modality learns much faster through the gates that the other moves, its gates are held at their running
    mean for a window of steps. Here the gates are one MMTM behind the encoders; the paper has three, between stages.
    """

    source: ClassVar[str] = "Wu et al., ICML 2022 (arXiv 2202.05306); the rule as in the released code"
    equation: ClassVar[str] = (
        "mu(theta) = ||grad||^2 / ||theta||^2;  bypass_m += mu(gates of m),  main_m += mu(encoder m, W_m)\n"
        "s_m = log10(bypass_m / main_m),  d = s_1 - s_2;  |d| > epsilon: the gates of 1 (d > 0) or 2 (d < 0) are\n"
        "their running mean for `window` steps;  L = sum_m loss(W_m (g_m * z_m) + b, y)"
    )
    cost: ClassVar[str] = "the gates once more, and the norms of all parameters and gradients"
    known: ClassVar[str] = "one module instead of three, and 3 more points: docs/paper-vs-code.md#greedy"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment"})
    max_modalities: ClassVar[int | None] = 2
    fusions: ClassVar[frozenset[str] | None] = frozenset({"mmtm"})

    family: ClassVar[str] = "feature"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    forwards: ClassVar[str] = "the gates, and the head's blocks"

    kind: Literal["greedy"]
    epsilon: Annotated[float, Field(ge=0)] = Field(0.01, description="difference of speeds that is let pass")
    window: Count = Field(5, description="steps with held gates")
    start_epoch: Annotated[int, Field(ge=0)] = Field(2, description="first epoch in which gates may be held, from 0")
