"""ReconBoost: modality-alternating boosting."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec

Weight = Annotated[float, Field(ge=0)]


class ReconBoost(ModulationSpec):
    """ReconBoost: the modalities learn in turn, each what the others together do not know yet.

    The paper's schedule is `schedule: {kind: alternating, per: stage, epochs: 4, rectify: 4}`.
    """

    source: ClassVar[str] = "Hua et al., ICML 2024 (arXiv 2405.09321); the loss as in the released code"
    equation: ClassVar[str] = (
        "in the turn of m:  L = mean (target_weight - ensemble_weight softmax(F)[y]) / C CE(u_m, y)\n"
        "                       + agreement mean (softmax(u_m) - softmax(u_prev))^2,  F = sum over j != m of u_j\n"
        "in an epoch of all together:  the task's loss"
    )
    cost: ClassVar[str] = "no parameters, no extra pass; the logits u_m are read from the head's blocks"
    known: ClassVar[str] = "paper and released code differ, and what is left out: docs/paper-vs-code.md#reconboost"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    reads_blocks: ClassVar[bool] = True
    schedule: ClassVar[str | None] = "alternating"

    family: ClassVar[str] = "schedule"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    forwards: ClassVar[str] = "the head's blocks"

    kind: Literal["recon_boost"]
    target_weight: Weight = Field(5.0, description="of the label in what is fitted")
    ensemble_weight: Weight = Field(1.0, description="of what the others know already; above target_weight unlearns")
    agreement: Weight = Field(0.5, description="pull towards the modality before; 0 switches it off")
    form: Literal["paper", "released"] = Field(
        "paper", description="agreement with a gradient, or without (it does nothing)"
    )
