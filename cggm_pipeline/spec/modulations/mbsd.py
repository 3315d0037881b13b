"""Modality-balanced self-distillation."""

from __future__ import annotations

from typing import ClassVar, Literal

from cggm_pipeline.spec.modulations.base import ModulationSpec


class MBSD(ModulationSpec):
    """Modality-balanced self-distillation.

    Every modality learns the classes by itself, and modalities that disagree about the true class learn to agree.
    """

    source: ClassVar[str] = "Liu et al. 2023, by way of BalanceBenchmark; the paper could not be consulted"
    equation: ClassVar[str] = (
        "L <- L + sum_m L(u_m, y) + mean over pairs (a, b) of (1/B) sum_i w_i [|p_a - p_b|^2 / C + KL(p_w || p_s)]_i\n"
        "w_i = |p_a(y_i) - p_b(y_i)| where a or b is right, else 0;  p_m = softmax(u_m), p_s surer of y_i than p_w"
    )
    cost: ClassVar[str] = (
        "no parameters; each modality's logits u_m are read from the head's blocks, or, where z is no concatenation, "
        "from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "the benchmark's code differs in 3 points: docs/paper-vs-code.md#mbsd"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_")
    forwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"
    backwards: ClassVar[str] = "the head's blocks; without blocks, fusion and head M times"

    kind: Literal["mbsd"]
