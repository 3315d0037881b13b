"""Prototypical modal rebalance."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation


class PMR(ModulationSpec):
    """Prototypical modal rebalance.

    The features of the modality that is behind are pulled towards the prototypes of their classes; in the first epochs
    those of the modality that is ahead are kept from committing themselves (prototypical entropy regularisation).
    """

    source: ClassVar[str] = "Fan et al., CVPR 2023 (arXiv 2211.07089)"
    equation: ClassVar[str] = (
        "L <- L + alpha sum_m b_m CE(p_m, y) - mu sum_m e_m H(p_m);  p_m = softmax_k(-|z_m - c_mk|)\n"
        "b_m = mean over j != m of clip(s_j/s_m - 1, 0, 1),  e_m = the same of s_m/s_j,  s_m = sum_i p_m(y_i)\n"
        "c_mk <- momentum c_mk + (1 - momentum) mean of z_m in class k, once per epoch"
    )
    cost: ClassVar[str] = (
        "distances of each feature to C prototypes; one pass over `share` of the training split per epoch"
    )
    known: ClassVar[str] = (
        "released code has no entropy term and switches b_m between 0 and 1: docs/paper-vs-code.md#pmr"
    )
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    off: ClassVar[dict[str, Any] | None] = {"alpha": 0.0, "mu": 0.0}
    per_micro_batch: ClassVar[str] = "b and e are those of the step's micro-batches so far"

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "penalty", "modulate_")
    forwards: ClassVar[str] = "distances to the prototypes"
    backwards: ClassVar[str] = "through these distances"

    kind: Literal["pmr"]
    form: Literal["paper", "released"] = Field("paper", description="released: b_m is 0 or 1, and no entropy term")
    alpha: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the pull; the paper has 1 and 2")
    mu: Annotated[float, Field(ge=0)] = Field(0.01, description="weight of the entropy; the paper has 1e-2 and 1e-3")
    entropy_epochs: Annotated[int, Field(ge=0)] = Field(10, description="epochs from the first with the entropy term")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="share that old prototypes keep each epoch")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="of the training split, for the prototypes")

    def effective(self) -> ModulationSpec:
        entropy = self.form == "paper" and self.mu > 0 and self.entropy_epochs > 0
        return self if self.alpha > 0 or entropy else NoModulation()
