"""On-the-fly gradient modulation with generalisation enhancement."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec


class OGMGE(ModulationSpec):
    """On-the-fly gradient modulation with generalisation enhancement.

    Slows the encoder of the modality whose own logits are ahead, and adds noise to the encoders' gradients.
    """

    source: ClassVar[str] = "Peng et al., CVPR 2022, equations 8-12; Wei et al., TPAMI 2024, equation 7"
    equation: ClassVar[str] = (
        "grad_m <- k_m grad_m + noise,  noise ~ N(0, std(grad_m))\n"
        "s_m = sum_i softmax(u_m)[i, y_i],  r_m = mean over j != m of s_m / s_j;  k_m = 1 where r_m <= 1, else\n"
        "tpami24: k_m = max(1 - alpha tanh(r_m - 1), 0)    cvpr22: k_m = 1 - tanh(alpha r_m)"
    )
    cost: ClassVar[str] = (
        "no parameters, no extra backward pass; each modality's logits u_m are read from the head's blocks, or, where "
        "z is no concatenation, from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "papers and released code differ in 6 points: docs/paper-vs-code.md#ogm-ge"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})
    off: ClassVar[dict[str, Any] | None] = {"alpha": 0.0, "noise": False}

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"

    kind: Literal["ogm_ge"]
    alpha: Annotated[float, Field(ge=0)] = Field(0.8, description="strength; 0 scales nothing")
    form: Literal["cvpr22", "tpami24"] = Field("tpami24", description="whose factor k_m: CVPR eq. 10 or TPAMI eq. 7")
    noise: bool = Field(True, description="add Gaussian noise of the gradient's own standard deviation")
    start_epoch: Annotated[int, Field(ge=0)] = Field(0, description="first epoch in which it acts, from 0")
    end_epoch: Annotated[int, Field(ge=0)] | None = Field(
        None, description="last epoch in which it acts; null: to the end"
    )
