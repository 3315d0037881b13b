"""Adaptation: what a trained network learns from unlabelled target data before it is evaluated.

Its kinds are stages after training, each with weights of its own; adaptation while predicting is `prediction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Fraction, Kind, Positive
from cggm_pipeline.spec.predictors import DROP, FORM, Drop, Form


class AdaptationSpec(Kind):
    """An adaptation. `stages`: those between training and evaluation, in order, and the folder that each writes.

    `final`: the folder of a row with the weights that are evaluated and that predict. `tasks`: the task kinds.
    `min_modalities`: for how many it is defined.
    """

    stages: ClassVar[Mapping[str, str]] = {}
    final: ClassVar[str] = "train"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})
    min_modalities: ClassVar[int] = 1


class NoAdaptation(AdaptationSpec):
    """The trained weights are evaluated as they are."""

    kind: Literal["none"] = "none"


class OfflineCASP(AdaptationSpec):
    """Contrastive adaptation, then training on stable pseudo-labels; over the normalisation layers' parameters alone.

    Stage `contrast` brings z of a sample and z of the same sample without one modality together, and keeps the
    predictions for the whole split before it, and after every `every` epochs. Stage `pseudo` trains on the samples
    whose predictions were stable, with their mean as the target. The inputs of a split are read, its targets never;
    the weights of the last epoch are kept.
    """

    source: ClassVar[str] = "Guo et al., AAAI 2025 (39(16):16987-16995); the equations from the released code"
    equation: ClassVar[str] = (
        "l(i, j) = -log exp(s_ij / tau) / sum_{k != i} exp(s_ik / tau),  s: cosines of both views' z\n"
        "u = mean_k |y^{k+1} - y^k|,  target = mean_k y^k where u <= quantile(u)  (released: where u > quantile(u))"
    )
    cost: ClassVar[str] = (
        "contrast: epochs times 2 forward and backward passes, and epochs / every + 1 forward passes over the split; "
        "pseudo: pseudo_epochs times one forward and backward pass over the selected samples"
    )
    known: ClassVar[str] = "paper and released code differ: docs/paper-vs-code.md#casp"
    stages: ClassVar[Mapping[str, str]] = {"contrast": "contrast", "pseudo": "adapted"}
    final: ClassVar[str] = "adapted"
    min_modalities: ClassVar[int] = 2

    kind: Literal["casp"]
    split: Literal["train", "test"] = Field("train", description="whose inputs are adapted to, without their targets")
    epochs: Count = Field(15, description="of contrastive adaptation")
    every: Count = Field(3, description="epochs between two predictions of the whole split; at most `epochs`")
    temperature: Positive = Field(0.5, description="tau")
    lr: Positive = Field(1e-3, description="of Adam, in both stages")
    batch_size: Count = Field(24, description="samples per step")
    clip: Positive | None = Field(0.8, description="bound on the norm of all gradients; null: none")
    shuffle: bool = Field(True, description="a new order in every epoch; false: the split's own, as released")
    drop: Drop = Field(None, description=DROP)
    pseudo_epochs: Count = Field(5, description="of training on pseudo-labels")
    quantile: Fraction = Field(0.95, description="of the samples' instabilities u: where the stable ones end")
    form: Form = Field("paper", description=FORM)


Adaptation = Annotated[NoAdaptation | OfflineCASP, Field(discriminator="kind")]

FINAL = (OfflineCASP.final, NoAdaptation.final)
"""Where a row's final weights can lie, the later stage first."""
FOLDERS = tuple(OfflineCASP.stages.values())
"""What stages after training write beside `train`, and what is out of date once `train` is written anew."""
