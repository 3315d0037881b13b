"""Modality-specific learning rates."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Positive, Slug
from cggm_pipeline.spec.modulations.base import ModulationSpec
from cggm_pipeline.spec.modulations.none import NoModulation


class MSLR(ModulationSpec):
    """Modality-specific learning rates: each modality's encoder has its own, fixed, or by its validation score."""

    source: ClassVar[str] = "Yao & Mihalcea, Findings of ACL 2022"
    equation: ClassVar[str] = (
        "lr(encoder m) <- k_m lr\n"
        "keep: k_m = r_m    smooth: k_m = (1 - smoothing) r_m + smoothing mean_j r_j\n"
        "dynamic: k_m = r_m s_m(t-1) / mean(s_m(t-1-window), ..., s_m(t-2));  s_m: validation score of u_m"
    )
    cost: ClassVar[str] = (
        "nothing in a step; dynamic: one pass over the validation split per epoch, with each modality's logits u_m "
        "from the head's blocks, or, where z is no concatenation, from fusion and head once more per modality"
    )
    known: ClassVar[str] = (
        "the formula of smooth is ours, the paper has none; the code that AGM's authors released scales gradients "
        "instead of rates: docs/paper-vs-code.md#mslr"
    )
    off: ClassVar[dict[str, Any] | None] = {"form": "keep", "rates": None}

    family: ClassVar[str] = "rate"
    hooks: ClassVar[tuple[str, ...]] = ("modulate_", "rates", "end_epoch")

    kind: Literal["mslr"]
    form: Literal["keep", "smooth", "dynamic"] = Field("dynamic", description="how a modality's rate is found")
    rates: dict[Slug, Positive] | None = Field(
        None, description="r_m: by modality, times the optimizer's lr; 1 for those that are not named"
    )
    smoothing: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="of smooth: 0 is keep, 1 one rate for all")
    window: Count = Field(5, description="of dynamic: epochs that the last score is compared with; before that, k = r")

    def effective(self) -> ModulationSpec:
        same = all(rate == 1 for rate in (self.rates or {}).values())
        return NoModulation() if same and self.form != "dynamic" else self
