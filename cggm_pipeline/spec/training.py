"""Training: optimiser, schedule, and everything about the loop that can change a result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Fraction, Kind, Positive, Rate, Slug, Spec

NonNegative = Annotated[float, Field(ge=0)]


class SGD(Kind):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    lr: Positive = Field(1e-2, description="learning rate")
    momentum: Rate = Field(0.9, description="of the velocity")
    weight_decay: NonNegative = Field(0.0, description="L2 penalty")
    nesterov: bool = Field(False, description="Nesterov's momentum")


class Adam(Kind):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"]
    lr: Positive = Field(1e-3, description="learning rate")
    betas: Annotated[tuple[Rate, Rate], Field(strict=False)] = Field(
        (0.9, 0.999), description="decay rates of the two moments"
    )
    eps: Positive = Field(1e-8, description="added to the denominator")
    weight_decay: NonNegative = Field(0.0, description="L2 penalty, through the moments")


class AdamW(Kind):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"]
    lr: Positive = Field(1e-3, description="learning rate")
    betas: Annotated[tuple[Rate, Rate], Field(strict=False)] = Field(
        (0.9, 0.999), description="decay rates of the two moments"
    )
    eps: Positive = Field(1e-8, description="added to the denominator")
    weight_decay: NonNegative = Field(1e-2, description="decoupled")


Optimizer = Annotated[SGD | Adam | AdamW, Field(discriminator="kind")]


class Constant(Kind):
    """The rate stays as it is."""

    kind: Literal["constant"] = "constant"


class Plateau(Kind):
    """The rate is multiplied by `factor` after `patience` epochs without a better validation loss."""

    kind: Literal["plateau"]
    patience: Count = Field(10, description="epochs without a lower validation loss")
    factor: Fraction = Field(0.1, description="of the learning rate")


class Cosine(Kind):
    """Half a cosine from the rate to `final` times it, over all epochs, after `warmup` linear epochs from `start`."""

    kind: Literal["cosine"]
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="linear epochs before it")
    start: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="share of the learning rate in the first epoch of the warm-up; null: 1 / (warmup + 1)"
    )
    final: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="share of the learning rate that is left at the end"
    )


class StepDecay(Kind):
    """The rate is multiplied by `factor` every `every` epochs."""

    kind: Literal["step"]
    every: Count = Field(description="epochs between two steps")
    factor: Fraction = Field(0.1, description="of the learning rate")


Scheduler = Annotated[Constant | Plateau | Cosine | StepDecay, Field(discriminator="kind")]


class Selection(Spec):
    """Which epoch's weights are kept, by the validation split alone."""

    metric: Slug = Field(description="a metric of the task, on the validation split")
    mode: Literal["max", "min"] = Field(description="whether more or less of it is better")


class EarlyStopping(Spec):
    """Stop after `patience` epochs without a better value of the selection metric."""

    patience: Count = Field(description="epochs without a better value of the selection metric")


class Training(Spec):
    """The loop. `batch_size` is per optimiser step and is cut into `accumulate` micro-batches.

    Where the last batch of an epoch would have one sample, it is joined to the one before.

    `threads` is the number of CPU threads of one run: part of the protocol, because it changes the last bits.
    `clip` bounds the norm of all gradients but the classifiers', after modulation. `selection` null: the task's own.
    """

    epochs: Annotated[int, Field(ge=0, le=10**9)] = Field(
        description="passes over the training split; 0: the weights it starts from are kept as they are"
    )
    batch_size: Count = Field(64, description="samples per optimiser step")
    optimizer: Optimizer = Field(Adam(kind="adam"), description="how weights move")
    scheduler: Scheduler = Field(Constant(), description="how the learning rate moves, epoch by epoch")
    clip: Positive | None = Field(
        None, description="largest norm of the network's gradients, after modulation; null: none"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the forward pass; float16 needs a GPU"
    )
    per_group: Count | None = Field(
        None, description="samples an epoch draws from each group (slices of a case); null: every sample"
    )
    accumulate: Count = Field(1, description="micro-batches that a batch is cut into")
    selection: Selection | None = Field(None, description="which epoch is kept; null: by the task's own metric")
    modality_scores: bool = Field(
        False, description="log every epoch what each modality scores alone on the validation split"
    )
    early_stopping: EarlyStopping | None = Field(None, description="null: all epochs are trained")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(1, description="CPU threads of one run; part of the protocol")
