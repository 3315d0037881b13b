"""Multi-loss balanced training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec


class MLB(ModulationSpec):
    """Multi-loss balanced training: unimodal losses, slower encoders that are ahead, faster ones that are behind."""

    source: ClassVar[str] = "Kontras et al., BMVC 2024 and IJCV 2025 (multi-loss gradient modulation)"
    equation: ClassVar[str] = (
        "L <- L + sum_m L(c_m(h_m), y);  grad_m <- k_m grad_m\n"
        "s_m = mean_i softmax(c_m(h_m))[i, y_i],  r_m = (mean over j != m of s_j) / s_m\n"
        "k_m = 1 + (beta_max - 1) tanh(alpha (r_m - 1)) where r_m > 1, else 1 + tanh(alpha (r_m - 1))"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; no extra pass through the network"
    )
    known: ClassVar[str] = "for values the score is exp(-loss), ours; differences: docs/paper-vs-code.md#mlb"
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["mlb"]
    alpha: Annotated[float, Field(ge=0)] = Field(0.5, description="steepness; 0 leaves the unimodal losses alone")
    beta_max: Annotated[float, Field(ge=1)] = Field(10.0, description="the most that an encoder is sped up")
