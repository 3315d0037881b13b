"""Information acquisition regulation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec


class InfoReg(ModulationSpec):
    """Information acquisition regulation: holds the encoder that is ahead near where the epoch began."""

    source: ClassVar[str] = "Huang et al., CVPR 2025, arXiv 2503.18595; the Fisher estimate as in the released code"
    equation: ClassVar[str] = (
        "L <- L + sum_m L(u_m, y);  grad_m <- grad_m + alpha_m (theta_m - theta_m at the epoch's start)\n"
        "alpha_m = exp(beta tanh Delta_m) in the prime window where Delta_m, the mean lead over those behind, is > 0\n"
        "s_m = mean_i log softmax(u_m)[i, y_i];  window: (F_{t-1} - F_{t-2}) / F_{t-1} > threshold, F_m = E |grad_m|^2"
    )
    cost: ClassVar[str] = (
        "a copy of the encoders' weights; each modality's logits u_m with their gradient, from the head's blocks or, "
        "where z is no concatenation, from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "a sign of the paper, and five points of the code: docs/paper-vs-code.md#inforeg"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "penalty", "modulate_", "end_epoch")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"
    backwards: ClassVar[str] = "those of the unimodal losses, in the same backward pass"

    kind: Literal["info_reg"]
    beta: Annotated[float, Field(ge=0)] = Field(0.9, description="strength; released code: 0.95")
    threshold: float = Field(0.04, description="K: least relative growth of F while the prime window is open")
    form: Literal["paper", "released"] = Field("paper", description="whose scores, strength and F")
