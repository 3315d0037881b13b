"""Tasks and their losses: what the network predicts, how wrong it is, and what is measured."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Positive, Rate, Slug


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


class CrossEntropyDice(Kind):
    """weight * weighted cross-entropy + (1 - weight) * (1 - soft Dice of the foreground over the whole batch)."""

    source: ClassVar[str] = "CGGM's released code for BraTS; soft Dice: Milletari et al. 2016"

    kind: Literal["cross_entropy_dice"]
    weight: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="of the cross-entropy")
    class_weights: Literal["balanced"] | Annotated[tuple[Positive, ...], Field(strict=False)] | None = Field(
        None, description="of the cross-entropy; balanced: by inverse frequency of the training pixels"
    )
    smooth: Positive = Field(0.01, description="added to the denominator of the Dice, as in the released code")


class SMPLoss(Kind):
    """A loss of segmentation-models-pytorch over class masks: all classes, background included.

    `focal` is one class against the rest, unlike the kind `focal`.
    """

    source: ClassVar[str] = "segmentation_models_pytorch.losses"

    kind: Literal["smp_loss"]
    loss: Literal["dice", "jaccard", "tversky", "lovasz", "focal"] = Field(description="which loss")
    alpha: Positive = Field(0.5, description="tversky: weight of false positives")
    beta: Positive = Field(0.5, description="tversky: weight of false negatives")
    gamma: Annotated[float, Field(ge=1)] | None = Field(
        None, description="focal and tversky: focus on hard pixels or classes; null: smp's own, 2 and 1"
    )


ClassificationLoss = Annotated[CrossEntropy | Focal, Field(discriminator="kind")]
RegressionLoss = Annotated[L1 | MSE | Huber, Field(discriminator="kind")]
SegmentationLoss = Annotated[CrossEntropyDice | CrossEntropy | Focal | SMPLoss, Field(discriminator="kind")]


class TaskSpec(Kind):
    """A task. `target` is the kind of target the dataset must declare; `accepts` the layouts of z its head can read.

    `metrics`: what is measured on every split, and whether more of it is better.
    """

    target: ClassVar[str] = ""
    metrics: ClassVar[dict[str, bool]] = {}
    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})

    def measured(self) -> dict[str, bool]:
        """`metrics`, and those that depend on the fields."""
        return dict(self.metrics)

    def tested(self) -> dict[str, bool]:
        """`measured`, and those that are measured on the test split alone: what may head a table."""
        return self.measured()


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


class Sentiment(TaskSpec):
    """Regression onto a sentiment scale, measured as the field does; the score is the share of right signs.

    `scale` "mosi" is -3 .. 3 (Acc-7: round(clip to 3) equal; Acc-5: round(clip to 2) equal), "sims" is -1 .. 1 (Acc-5
    and Acc-3 by the published intervals). Acc-2 and F1 come twice: `acc2`, `f1`: y > 0 against y <= 0 over all samples
    (zero is negative, as CGGM's code); `acc2_nonzero`, `f1_nonzero`: samples whose label is zero left out (MulT).
    """

    source: ClassVar[str] = "Zadeh et al. 2016, Tsai et al. 2019 (MulT), Yu et al. 2020 (CH-SIMS)"
    target: ClassVar[str] = "values"
    metrics: ClassVar[dict[str, bool]] = {
        "mae": False,
        "corr": True,
        "acc7": True,
        "acc5": True,
        "acc3": True,
        "acc2": True,
        "f1": True,
        "acc2_nonzero": True,
        "f1_nonzero": True,
    }

    kind: Literal["sentiment"]
    loss: RegressionLoss = Field(L1(kind="l1"), description="what is minimised")
    scale: Literal["mosi", "sims"] = Field("mosi", description="-3 .. 3, or -1 .. 1")

    def measured(self) -> dict[str, bool]:
        left_out = {"mosi": "acc3", "sims": "acc7"}[self.scale]
        return {name: higher for name, higher in self.metrics.items() if name != left_out}


class Segmentation(TaskSpec):
    """A class per pixel. `regions` are unions of classes that Dice is measured of; null: every foreground class.

    The score that CGGM compares is the mean Dice of the regions on the mini-batch. `dice` and `dice_REGION` are per
    case over its whole volume (per sample where the data have no cases), `slice_dice` and `slice_dice_REGION` per slice
    as the authors' code does, `hd95_REGION` is the 95th percentile of the surface distance, on the test split.
    """

    source: ClassVar[str] = "BraTS: Menze et al. 2015, section III; slice Dice: CGGM's released code"
    target: ClassVar[str] = "mask"
    metrics: ClassVar[dict[str, bool]] = {"dice": True, "slice_dice": True}
    accepts: ClassVar[frozenset[Layout]] = frozenset({"map"})

    kind: Literal["segmentation"]
    loss: SegmentationLoss = Field(CrossEntropyDice(kind="cross_entropy_dice"), description="what is minimised")
    regions: dict[Slug, Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]] | None = Field(
        None, description="name: class indices; null: every foreground class is a region of its own"
    )
    hd95: bool = Field(True, description="also measure the 95 % Hausdorff distance on the test split")

    def measured(self) -> dict[str, bool]:
        own = {f"{name}_{region}": True for region in self.regions or () for name in ("dice", "slice_dice")}
        return {**self.metrics, **own}

    def tested(self) -> dict[str, bool]:
        return {**self.measured(), **{f"hd95_{region}": False for region in self.regions or () if self.hd95}}


Task = Annotated[Classification | Regression | Sentiment | Segmentation, Field(discriminator="kind")]
