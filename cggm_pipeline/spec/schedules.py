"""Schedules: which samples and modalities an epoch takes, and whose turn a step is. See `cggm_pipeline.schedules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Fraction, Kind, Positive, Slug


class ScheduleSpec(Kind):
    """A schedule. `tasks`: the task kinds. `min_modalities`, `max_modalities`: for how many it is defined.

    `off`: parameters under which it is `everything` bit for bit, where there are some. `only`: parameter to (another,
    its value), where the first is read only if the other has this value.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})
    min_modalities: ClassVar[int] = 1
    max_modalities: ClassVar[int | None] = None
    off: ClassVar[Mapping[str, object] | None] = None
    only: ClassVar[Mapping[str, tuple[str, str]]] = {}


class Everything(ScheduleSpec):
    """Every sample with all its modalities, one optimiser step per batch on all of them."""

    kind: Literal["everything"] = "everything"


class Alternating(ScheduleSpec):
    """The modalities learn in turn: one optimiser step each on every batch, or some epochs each.

    In a modality's turn the other encoders are not moved; what is differentiated is the method's affair (`mla`,
    `recon_boost`), by default the loss of the fused logits.
    """

    source: ClassVar[str] = "Zhang et al., CVPR 2024 (MLA): per batch; Hua et al., ICML 2024 (ReconBoost): per stage"
    cost: ClassVar[str] = "per: batch makes M optimiser steps on every batch, each a whole forward and backward pass"
    min_modalities: ClassVar[int] = 2
    only: ClassVar[Mapping[str, tuple[str, str]]] = {
        "order": ("per", "batch"),
        "epochs": ("per", "stage"),
        "rectify": ("per", "stage"),
    }

    kind: Literal["alternating"]
    per: Literal["batch", "stage"] = Field("batch", description="a turn is a step on a batch, or `epochs` epochs")
    order: Literal["sorted", "rotating"] = Field(
        "sorted", description="per batch: by name, or beginning one modality later with every batch"
    )
    epochs: Count = Field(4, description="per stage: epochs of one modality's turn")
    rectify: Annotated[int, Field(ge=0, le=10**9)] = Field(
        4, description="per stage: epochs of all modalities together after each turn"
    )


class SMV(ScheduleSpec):
    """Sample-level modality valuation: what contributes little to the prediction is trained on once more, alone.

    A modality's contribution to a sample is its Shapley value, from what the network predicts rightly with every subset
    of the modalities before each epoch.
    """

    source: ClassVar[str] = "Wei et al., CVPR 2024 (arXiv 2309.06255); the limits as in the released code"
    equation: ClassVar[str] = (
        "phi_m = sum over S without m of |S|! (M-|S|-1)! / M! (v(S + m) - v(S)),  v(S) = |S| where S is right, else 0\n"
        "sample: once more with m alone where 0.4 <= phi_m < 1, twice in [-0.1, 0.4), three times below\n"
        "modality: int(p_m N) samples more with m alone, p_m = alpha 2/3 max(mean over j != m of phi_j - phi_m, 0)"
    )
    cost: ClassVar[str] = (
        "before each epoch one pass over the training split (modality: a share of it), fusion and head 2^M - 2 times "
        "more; the epoch is longer by the samples that are repeated"
    )
    known: ClassVar[str] = "what is ours: docs/paper-vs-code.md#smv"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    min_modalities: ClassVar[int] = 2
    max_modalities: ClassVar[int | None] = 10
    off: ClassVar[Mapping[str, object] | None] = {"warmup": 10**6}
    only: ClassVar[Mapping[str, tuple[str, str]]] = {"share": ("level", "modality"), "alpha": ("level", "modality")}

    kind: Literal["smv"]
    level: Literal["sample", "modality"] = Field(
        "sample", description="repeat by each sample's values, or by their means"
    )
    warmup: Annotated[int, Field(ge=0, le=10**9)] = Field(5, description="ordinary epochs at the beginning")
    share: Fraction = Field(0.2, description="level modality: share of the samples whose values are averaged")
    alpha: Positive = Field(1.0, description="level modality: strength")


class Thinned(ScheduleSpec):
    """One modality's encoder learns only in every n-th step: imbalance on purpose. Ours.

    In the other steps the modality takes part in the prediction, but its encoder is not moved.
    """

    source: ClassVar[str] = "ours: an experimental condition, no balancing method"
    min_modalities: ClassVar[int] = 2
    off: ClassVar[Mapping[str, object] | None] = {"every": 1}

    kind: Literal["thinned"]
    modality: Slug = Field(description="the one that learns seldom")
    every: Annotated[int, Field(ge=1, le=10**9)] = Field(2, description="it learns in steps 0, n, 2n, ... of an epoch")


Schedule = Annotated[Everything | Alternating | SMV | Thinned, Field(discriminator="kind")]
