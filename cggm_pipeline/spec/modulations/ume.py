"""Unimodal ensemble."""

from __future__ import annotations

from typing import ClassVar, Literal

from cggm_pipeline.spec.modulations.base import ModulationSpec


class UME(ModulationSpec):
    """Trains a model per modality side by side; the mean of their logits predicts. Nothing is learned jointly."""

    source: ClassVar[str] = "Du et al., ICML 2023 (arXiv 2305.01233)"
    equation: ClassVar[str] = "L = sum_m L(u_m, y),  u_m = W_m h_m + b;  logits = (1/M) sum_m u_m"
    cost: ClassVar[str] = "nothing beyond joint training"
    known: ClassVar[str] = "the models share bias, clipping and selected epoch: docs/paper-vs-code.md#umt-and-ume"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment"})
    fusions: ClassVar[frozenset[str] | None] = frozenset({"late"})
    reads_blocks: ClassVar[bool] = True

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("objective", "modulate_")

    kind: Literal["ume"]
