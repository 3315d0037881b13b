"""Disentangled gradient learning."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class DGL(ModulationSpec):
    """Disentangled gradient learning.

    Encoders learn from their own modality's loss alone, fusion and head from the joint loss of detached features.
    """

    source: ClassVar[str] = "Wei et al., ICCV 2025 (arXiv 2507.10213)"
    equation: ClassVar[str] = (
        "grad(encoders) <- alpha sum_m dL_m,  L_m = L(head(fusion(h_m, the others at zero)), y)\n"
        "grad(fusion, head) <- dL of detached features"
    )
    cost: ClassVar[str] = "no parameters; fusion and head once more per modality, forward and backward"
    known: ClassVar[str] = "choices of ours where paper and code say nothing: docs/paper-vs-code.md#dgl"

    family: ClassVar[str] = "gradient"
    hooks: ClassVar[tuple[str, ...]] = ("mask", "objective", "modulate_")
    forwards: ClassVar[str] = "fusion and head M times"
    backwards: ClassVar[str] = "fusion and head M times"

    kind: Literal["dgl"]
    alpha: Positive = Field(4.0, description="of the modalities' own losses, which the encoders learn from")
