"""Tasks and their losses: what the network predicts, how wrong it is, and what is measured."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Kind, Layout, Positive, Rate


class CrossEntropy(Kind):
    """Softmax cross-entropy. `class_weights`: null, "balanced" (inverse training frequency) or one weight per class."""

    kind: Literal["cross_entropy"]
    label_smoothing: Rate = Field(0.0, description="share of the target spread over all classes")
    class_weights: Literal["balanced"] | Annotated[tuple[Positive, ...], Field(strict=False)] | None = Field(
        None, description="balanced: by inverse training frequency; or one weight per class"
    )


class Focal(Kind):
    """Focal loss: cross-entropy times (1 - p_y) ** gamma."""

    source: ClassVar[str] = "Lin et al. 2017, equation 5"

    kind: Literal["focal"]
    gamma: Annotated[float, Field(ge=0)] = Field(2.0, description="focus on hard samples; 0 is cross-entropy")


class L1(Kind):
    """Mean absolute error."""

    kind: Literal["l1"]


class MSE(Kind):
    """Mean squared error."""

    kind: Literal["mse"]


class Huber(Kind):
    """Huber loss: quadratic below `delta`, linear above."""

    kind: Literal["huber"]
    delta: Positive = Field(1.0, description="where the loss turns linear, in the target's unit")


ClassificationLoss = Annotated[CrossEntropy | Focal, Field(discriminator="kind")]
RegressionLoss = Annotated[L1 | MSE | Huber, Field(discriminator="kind")]


class TaskSpec(Kind):
    """A task. `target` is the kind of target the dataset must declare; `accepts` the layouts of z its head can read.

    `metrics`: what is measured on every split, and whether more of it is better.
    """

    target: ClassVar[str] = ""
    metrics: ClassVar[dict[str, bool]] = {}
    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})


class Classification(TaskSpec):
    """One of C classes; the score that CGGM compares is the accuracy on the mini-batch."""

    target: ClassVar[str] = "classes"
    metrics: ClassVar[dict[str, bool]] = {
        "accuracy": True,
        "f1_macro": True,
        "f1_weighted": True,
        "balanced_accuracy": True,
        "nll": False,
        "ece": False,
    }

    kind: Literal["classification"]
    loss: ClassificationLoss = Field(CrossEntropy(kind="cross_entropy"), description="what is minimised")


class Regression(TaskSpec):
    """Real values. `score`: "sign" (share of right signs, as CGGM on sentiment) or "exp_loss" (exp(-loss), general)."""

    target: ClassVar[str] = "values"
    metrics: ClassVar[dict[str, bool]] = {"mae": False, "rmse": False, "corr": True, "r2": True}

    kind: Literal["regression"]
    loss: RegressionLoss = Field(L1(kind="l1"), description="what is minimised")
    score: Literal["sign", "exp_loss"] = Field(
        "exp_loss", description="what CGGM compares: the share of right signs, or exp(-loss)"
    )


Task = Annotated[Classification | Regression, Field(discriminator="kind")]
