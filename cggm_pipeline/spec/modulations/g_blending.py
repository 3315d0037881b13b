"""Gradient blending."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class GBlending(ModulationSpec):
    """Weighs the losses of every modality's own head and of the joint head by how well each of them generalises.

    How well is found by training copies: each modality's own network, and the joint network. The validation split
    stands for the part of the training split that the paper holds out.
    """

    source: ClassVar[str] = "Wang et al., CVPR 2020 (arXiv 1905.12681)"
    equation: ClassVar[str] = (
        "L = sum_k w_k L_k, k: each modality's head and the joint head\n"
        "w_k = (1/Z) dG_k / dO_k^2,  dG_k = fall of L^V_k over n epochs,  dO_k = growth of L^V_k - L^T_k"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, dropped at inference; two copies are trained for as many epochs as the network: "
        "three times the time"
    )
    known: ClassVar[str] = "guards and the held-out split: docs/paper-vs-code.md#g-blending"
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "loss"
    hooks: ClassVar[tuple[str, ...]] = ("start_epoch", "objective", "modulate_")
    forwards: ClassVar[str] = "M classifiers; two rehearsals"
    backwards: ClassVar[str] = "M classifiers; two rehearsals"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["g_blending"]
    mode: Literal["offline", "online"] = Field(
        "online", description="weights once for the whole training, or anew in every super-epoch"
    )
    super_epoch: Count = Field(10, description="epochs between two estimates; online alone")
    floor: Positive = Field(1e-4, description="the least dG and |dO|, so that no weight is negative or explodes")
