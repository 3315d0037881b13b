"""On-the-fly prediction modulation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation

Probability = Annotated[float, Field(ge=0, le=1)]


class OPM(ModulationSpec):
    """On-the-fly prediction modulation: drops the features of the modality that is ahead, sample by sample."""

    source: ClassVar[str] = "Wei et al., TPAMI 2024, arXiv 2410.11582"
    equation: ClassVar[str] = (
        "h_m[i] <- 0 with probability q_m, then h <- h / (1 - theta),  theta = sum_m d_m q_m / sum_m d_m\n"
        "q_m = min(q_base (1 + lam tanh(r_m - 1)), 1) where r_m > 1, else 0; from the step before\n"
        "s_m = sum_i softmax(u_m)[i, y_i],  r_m = mean over j != m of s_m / s_j"
    )
    cost: ClassVar[str] = (
        "no parameters, no extra backward pass; each modality's logits u_m are read from the head's blocks, or, where "
        "z is no concatenation, from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "the code takes q from the same batch: docs/paper-vs-code.md#opm"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    off: ClassVar[dict[str, Any] | None] = {"q_base": 0.0}
    per_micro_batch: ClassVar[str] = "every micro-batch draws for itself what it drops"
    per_process: ClassVar[str] = "every process draws for itself what it drops"

    family: ClassVar[str] = "feature"
    hooks: ClassVar[tuple[str, ...]] = ("mask", "penalty", "modulate_")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"

    kind: Literal["opm"]
    q_base: Probability = Field(0.5, description="probability of a drop where a modality is just ahead; 0: off")
    lam: Annotated[float, Field(ge=0)] = Field(0.5, description="how much the lead adds to it")
    execute: Probability = Field(1.0, description="share of batches in which features are dropped; released code: 0.7")
    start_epoch: Annotated[int, Field(ge=0)] = Field(0, description="first epoch in which it acts, from 0; code: 6")

    def effective(self) -> ModulationSpec:
        """With q_base 0 or execute 0 nothing is ever dropped."""
        return NoModulation() if 0 in (self.q_base, self.execute) else self
