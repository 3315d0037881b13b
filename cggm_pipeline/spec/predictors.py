"""Predictors: how logits are got out of the trained network. See `cggm_pipeline.evaluation.predictors`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Kind


class PredictorSpec(Kind):
    """A way to predict, in training's validation, in evaluation and in `cggm predict`. `tasks`: the task kinds."""

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})


class Plain(PredictorSpec):
    """The logits of one forward pass."""

    equation: ClassVar[str] = "logits = head(z)"

    kind: Literal["plain"] = "plain"


class EntropyWeighted(PredictorSpec):
    """Unimodal logits, each sample's own weighted mean: the more certain a modality, the more it says (MLA)."""

    source: ClassVar[str] = "Zhang et al., CVPR 2024 (MLA): test-time fusion"
    equation: ClassVar[str] = (
        "logits = sum_m w_m u_m,  w_m = exp(max_j H_j - H_m) / sum_k exp(max_j H_j - H_k)\n"
        "H_m: entropy of softmax(u_m), per sample;  u_m: the logits of modality m alone"
    )
    cost: ClassVar[str] = "fusion and head once more per modality"
    known: ClassVar[str] = "paper and released code differ: docs/paper-vs-code.md#mla"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    kind: Literal["entropy_weighted"]


Predictor = Annotated[Plain | EntropyWeighted, Field(discriminator="kind")]
