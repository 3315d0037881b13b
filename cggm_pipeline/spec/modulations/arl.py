"""Asymmetric representation learning."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec


class ARL(ModulationSpec):
    """Asymmetric representation learning: each encoder's gradient follows its modality's certainty."""

    source: ClassVar[str] = "Wei et al., ICCV 2025, arXiv 2507.10203; the reweighting as printed and as released"
    equation: ClassVar[str] = (
        "L <- L + gamma sum_m L(u_m, y);  grad_m <- (1 + a_m) grad_m;  q_m = 1 / entropy of softmax(u_m)\n"
        "paper: (a_0, a_1) = softmax(T q_0 / q_1, T d_0 / d_1),  d_m = mean_i softmax(u_m)[i, y_i]\n"
        "released: (a_0, a_1) = softmax(T q'_0 d'_1, T q'_1 d'_0),  d_m = mean_i sum_c |u_m[i, c]|,  ' = shares"
    )
    cost: ClassVar[str] = (
        "no parameters; each modality's logits u_m with their gradient, from the head's blocks or, where z is no "
        "concatenation, from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "more than two modalities are ours; paper and code differ: docs/paper-vs-code.md#arl"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"
    backwards: ClassVar[str] = "those of the unimodal losses, in the same backward pass"

    kind: Literal["arl"]
    temperature: Annotated[float, Field(ge=0)] = Field(8.0, description="T; 0 gives every modality the same")
    gamma: Annotated[float, Field(ge=0)] = Field(4.0, description="weight of the unimodal losses")
    form: Literal["paper", "released"] = Field("paper", description="whose a_m")
    start_epoch: Annotated[int, Field(ge=0)] = Field(0, description="first epoch in which it acts, from 0; code: 6")
