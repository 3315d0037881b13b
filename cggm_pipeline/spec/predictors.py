"""Predictors: how logits are got out of the trained network. See `cggm_pipeline.evaluation.predictors`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Fraction, Kind, Positive, Seed, Slug

Mode = Literal["online", "episodic"]
Form = Literal["paper", "released"]
Drop = Annotated[dict[Slug, Positive], Field(min_length=1, max_length=100)] | None

MODE = "online: what was learnt stays for the batches to come; episodic: each batch starts from the trained network"
FORM = "paper: the samples whose predictions moved least; released: those that moved most, as the authors' code has it"
DROP = "how often each modality is the one that the second view lacks, in proportion; null: all equally often"


class PredictorSpec(Kind):
    """A way to predict, in evaluation and in `cggm predict`; in training's validation too, unless it adapts.

    `tasks`: the task kinds. `min_modalities`: for how many it is defined.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})
    min_modalities: ClassVar[int] = 1


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


class NormStatistics(PredictorSpec):
    """Batch normalisation with the statistics of the batch that is predicted, mixed with those of training.

    Nothing is learnt, and no batch influences another; a prediction depends on the batch it is in. `prior: 0` takes the
    batch's statistics alone.
    """

    source: ClassVar[str] = (
        "Schneider et al., NeurIPS 2020 (arXiv 2006.16971), section 3; prior 0: Nado et al., arXiv 2006.10963"
    )
    equation: ClassVar[str] = (
        "mu = N/(N+n) mu_s + n/(N+n) mu_t,  sigma^2 = N/(N+n) sigma_s^2 + n/(N+n) sigma_t^2\n"
        "N: prior,  n: samples in the batch,  s: running statistics of training,  t: statistics of the batch"
    )
    cost: ClassVar[str] = "mean and variance of every batch normalisation's input once more"

    kind: Literal["norm_statistics"]
    prior: Annotated[float, Field(ge=0, le=1e9)] = Field(
        16.0, description="N: how many samples of the batch the training's statistics count as"
    )
    batch_size: Count = Field(64, description="samples whose statistics are taken together")


class Tent(PredictorSpec):
    """Entropy minimisation of the predictions, batch by batch, over the scales and shifts of normalisation layers.

    Batch normalisation takes the batch's statistics. Online the prediction of a batch comes before the last step on
    it, as in the paper; episodic after it, with one more forward pass. A prediction depends on what is predicted before
    and together with it.
    """

    source: ClassVar[str] = "Wang et al., ICLR 2021 (arXiv 2006.10726), section 3"
    equation: ClassVar[str] = "min over gamma, beta of the batch's mean of H = -sum_c p_c log p_c,  p = softmax(logits)"
    cost: ClassVar[str] = "steps forward and backward passes per batch; episodic one forward pass more"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    kind: Literal["tent"]
    mode: Mode = Field("online", description=MODE)
    steps: Count = Field(1, description="optimiser steps per batch")
    lr: Positive = Field(1e-3, description="of Adam")
    batch_size: Count = Field(200, description="samples that are adapted to together")


class CASP(PredictorSpec):
    """Contrastive adaptation and stable pseudo-labels, batch by batch, over the normalisation layers' parameters.

    The two stages of `adaptation: {kind: casp}` on every batch that is predicted: `steps` steps that bring z of the
    samples and z of the same samples without one modality together, then `pseudo_steps` steps of the task's loss on
    the samples whose predictions were stable meanwhile, with the mean of these predictions as their target. A
    prediction depends on what is predicted before and together with it.
    """

    source: ClassVar[str] = "Guo et al., AAAI 2025 (39(16):16987-16995); batch by batch is ours"
    equation: ClassVar[str] = (
        "l(i, j) = -log exp(s_ij / tau) / sum_{k != i} exp(s_ik / tau),  s: cosines of both views' z\n"
        "u = mean_k |y^{k+1} - y^k|,  target = mean_k y^k where u <= quantile(u)  (released: where u > quantile(u))"
    )
    cost: ClassVar[str] = (
        "per batch 2 forward and backward passes for each of `steps`, one for each of `pseudo_steps`, and 2 forward "
        "passes"
    )
    known: ClassVar[str] = "paper and released code differ: docs/paper-vs-code.md#casp"
    min_modalities: ClassVar[int] = 2

    kind: Literal["casp"]
    mode: Mode = Field("online", description=MODE)
    steps: Count = Field(3, description="contrastive steps per batch")
    pseudo_steps: Annotated[int, Field(ge=0, le=10**9)] = Field(1, description="steps on pseudo-labels per batch")
    temperature: Positive = Field(0.5, description="tau")
    lr: Positive = Field(1e-3, description="of Adam, in both kinds of steps")
    clip: Positive | None = Field(0.8, description="bound on the norm of all gradients; null: none")
    quantile: Fraction = Field(0.95, description="of the samples' instabilities u: where the stable ones end")
    form: Form = Field("paper", description=FORM)
    drop: Drop = Field(None, description=DROP)
    batch_size: Count = Field(24, description="samples that are adapted to together")
    seed: Seed = Field(0, description="of the draws of which modality a view lacks")


Predictor = Annotated[Plain | EntropyWeighted | NormStatistics | Tent | CASP, Field(discriminator="kind")]
