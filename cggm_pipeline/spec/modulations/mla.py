"""Multimodal learning with alternating unimodal adaptation."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class MLA(ModulationSpec):
    """Multimodal learning with alternating unimodal adaptation (MLA).

    The modalities learn in turn through one shared head; the head's gradient is projected away from the features of the
    turn before. Its inference is `prediction: {kind: entropy_weighted}`.
    """

    source: ClassVar[str] = "Zhang et al., CVPR 2024 (arXiv 2311.10707)"
    equation: ClassVar[str] = (
        "in the turn of m:  L = loss(head(z_m), y);  grad(W) <- grad(W) P\n"
        "q = P r^T / (alpha + r P r^T),  P <- P - q r P,  P_0 = I;  r: mean feature of the turn before"
    )
    cost: ClassVar[str] = "M optimiser steps per batch instead of one; a matrix of the features' width squared"
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#mla"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment"})
    fusions: ClassVar[frozenset[str] | None] = frozenset({"mean"})
    schedule: ClassVar[str | None] = "alternating"

    family: ClassVar[str] = "schedule"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")
    forwards: ClassVar[str] = "M - 1 of the network, and the head, per batch"
    backwards: ClassVar[str] = "M - 1, each through one encoder and the head, per batch"

    kind: Literal["mla"]
    alpha: Positive = Field(0.1, description="keeps the projection's denominator from 0; smaller projects harder")
    form: Literal["paper", "released"] = Field("paper", description="the head's gradient projected, or as it is")
