"""Training: optimiser, schedule, and everything about the loop that can change a result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Fraction, Kind, Positive, Rate, Slug, Spec

NonNegative = Annotated[float, Field(ge=0)]


class SGD(Kind):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    lr: Positive = 1e-2
    momentum: Rate = 0.9
    weight_decay: NonNegative = 0.0
    nesterov: bool = False


class Adam(Kind):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"]
    lr: Positive = 1e-3
    betas: Annotated[tuple[Rate, Rate], Field(strict=False)] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0


class AdamW(Kind):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"]
    lr: Positive = 1e-3
    betas: Annotated[tuple[Rate, Rate], Field(strict=False)] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 1e-2


Optimizer = Annotated[SGD | Adam | AdamW, Field(discriminator="kind")]


class Constant(Kind):
    """The rate stays as it is."""

    kind: Literal["constant"] = "constant"


class Plateau(Kind):
    """The rate is multiplied by `factor` after `patience` epochs without a better validation loss."""

    kind: Literal["plateau"]
    patience: Count = 10
    factor: Fraction = 0.1


class Cosine(Kind):
    """Half a cosine from the rate to `final` times the rate over all epochs, after `warmup` linear epochs."""

    kind: Literal["cosine"]
    warmup: Annotated[int, Field(ge=0)] = 0
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


class StepDecay(Kind):
    """The rate is multiplied by `factor` every `every` epochs."""

    kind: Literal["step"]
    every: Count
    factor: Fraction = 0.1


Scheduler = Annotated[Constant | Plateau | Cosine | StepDecay, Field(discriminator="kind")]


class Selection(Spec):
    """Which epoch's weights are kept, by the validation split alone."""

    metric: Slug
    mode: Literal["max", "min"]


class EarlyStopping(Spec):
    """Stop after `patience` epochs without a better value of the selection metric."""

    patience: Count


class Training(Spec):
    """The loop. `batch_size` is per optimiser step and is cut into `accumulate` micro-batches.

    `threads` is the number of CPU threads of one run: part of the protocol, because it changes the last bits.
    `clip` bounds the norm of all gradients but the classifiers', after modulation. `selection` null: the task's own.
    """

    epochs: Count
    batch_size: Count = 64
    optimizer: Optimizer = Adam(kind="adam")
    scheduler: Scheduler = Constant()
    clip: Positive | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    accumulate: Count = 1
    selection: Selection | None = None
    early_stopping: EarlyStopping | None = None
    threads: Annotated[int, Field(ge=1, le=256)] = 1
