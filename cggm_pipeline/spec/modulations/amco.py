"""Adaptive mask co-optimisation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class AMCo(ModulationSpec):
    """Adaptive mask co-optimisation.

    The modality that the prediction depends on loses some of its class logits, more and more of them in an epoch.
    """

    source: ClassVar[str] = "Zhou et al., ICASSP 2023, by way of BalanceBenchmark; the paper could not be consulted"
    equation: ClassVar[str] = (
        "L <- L(sum_m u'_m, y) + sum_m L(u'_m, y);  u'_m = u_m, without int(p_t C) random classes where depended on\n"
        "depended on: m with mean_i sum_c softmax([u'_1 .. u'_M])[i, m, c] > sigma one step before\n"
        "p_t = sin(pi/2 min(epsilon, l_t)/epsilon),  l_t = t epoch/10 in step t of an epoch"
    )
    cost: ClassVar[str] = (
        "no parameters; each modality's logits u_m are read from the head's blocks, or, where z is no concatenation, "
        "from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "the benchmark's code differs in 3 points: docs/paper-vs-code.md#amco"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "objective", "modulate_")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"
    backwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"

    kind: Literal["amco"]
    sigma: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="share of the softmax above which m is depended on"
    )
    epsilon: Positive = Field(0.3, description="l_t from which on all class logits are masked")
