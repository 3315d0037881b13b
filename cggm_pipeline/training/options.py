"""Everything about a training that is a number or a callable: what `fit` needs beside network, task and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch.optim import Optimizer

from cggm_pipeline.errors import TrainingError
from cggm_pipeline.training.schedules import Schedule

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Options:
    """How to train.

    `optimizer(groups)` makes the optimiser from torch's parameter groups, `scheduler(optimizer, epochs)` its schedule.
    `metric` of the validation split selects the epoch, `mode` says whether more or less of it is better. `batch_size`
    is per optimiser step, over all micro-batches and processes. `per_group`: samples that an epoch draws from each
    group of the data, null: all. `classifiers` overrides `lr` and `weight_decay` for the classifiers that a modulation
    trains; `scheduled` False keeps their rate constant. `patience` null: no early stopping. `modality_scores`: log the
    metric of every modality alone, on the validation split, after each epoch. `device` null: Accelerate chooses.

    These do not change a result: `watch_every` (steps between two looks at the NaN flags), `checkpoint_seconds`
    (between two checkpoints), `checkpoint_steps` (the same in steps; null: by time alone).
    """

    epochs: int
    batch_size: int
    optimizer: Callable[[list[dict[str, Any]]], Optimizer]
    scheduler: Callable[[Optimizer, int], Schedule]
    metric: str
    mode: Literal["max", "min"]
    seed: int = 0
    clip: float | None = None
    precision: Precision = "float32"
    accumulate: int = 1
    per_group: int | None = None
    patience: int | None = None
    modality_scores: bool = False
    threads: int = 1
    classifiers: Mapping[str, float] = field(default_factory=dict)
    device: str | None = None
    watch_every: int = 50
    checkpoint_seconds: float = 15.0
    checkpoint_steps: int | None = None

    def __post_init__(self) -> None:
        if self.accumulate > self.batch_size:
            raise TrainingError(
                f"accumulate: {self.accumulate} micro-batches cannot be cut from a batch of {self.batch_size}; "
                "accumulate is at most batch_size"
            )
