"""fit: train one network with one modulation and one seed. It knows no method, no data set and no task by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cggm_pipeline.data.batches import Batches
from cggm_pipeline.errors import TrainingError
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.plain import PLAIN
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.network import Network
from cggm_pipeline.schedules.base import Schedule
from cggm_pipeline.schedules.everything import Everything
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training.loop import Loop
from cggm_pipeline.training.machine import peak_memory, settled
from cggm_pipeline.training.moment import Progress, silent
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.watch import NotFiniteError


@dataclass(frozen=True)
class Fitted:
    """What a training gave. `network` carries the weights of epoch `selected`, chosen on the validation split.

    `history`: one mapping of column to number per epoch. `seconds`: time in the loop, over all continuations.
    `memory`: peak bytes. `steps`: optimiser steps made. `step_seconds`: what one took, validation left out.
    """

    network: Network
    history: list[dict[str, float]]
    selected: int
    seconds: float
    steps: int
    step_seconds: float
    memory: int


def fit(
    network: Network,
    task: Task,
    modulation: Modulation,
    train: Batches,
    valid: Batches,
    options: Options,
    *,
    schedule: Schedule | None = None,
    predictor: Predictor = PLAIN,
    state: Path | None = None,
    key: str = "",
    progress: Progress = silent,
) -> Fitted:
    """Train `network` in place and give it the weights of the best validation epoch.

    `schedule`: which samples and modalities an epoch takes, and whose turn a step is (None: everything, at once).
    `predictor`: how the network is asked for validation; plainly, if it adapts to what it is asked.

    `state`: a folder for checkpoints; a training that was killed goes on from there with the same bits (on the CPU),
    if `key` is the same (a digest of spec, data and code). Without it nothing is kept. Runs in one process, or in
    several under `torchrun` or `accelerate launch`.

    Raises NotFiniteError (a TrainingError) with step, tensor and modality where a value became NaN or infinite.
    """
    if not len(train) or not len(valid):
        empty = "train" if not len(train) else "valid"
        raise TrainingError(f"the {empty} split has no samples; change the dataset's split shares")
    with settled(options) as accelerator:
        network.to(accelerator.device)
        modulation.to(accelerator.device)
        loop = Loop(
            accelerator,
            network,
            task,
            modulation,
            train,
            valid,
            options,
            progress if accelerator.is_main_process else silent,
            schedule or Everything(network.modalities),
            predictor,
        )
        if state is not None:
            loop.resume(state, key)
        try:
            loop.run()
        except NotFiniteError as error:
            error.history, error.seconds = loop.history, loop.seconds
            raise
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"the GPU's memory is used up ({str(error).splitlines()[0]}). A larger training.accumulate cuts a "
                "batch into smaller pieces with nearly the same result; CGGM_WORKERS=1 trains one seed at a time"
            ) from error
        network.load_state_dict(loop.selection.weights)
        accelerator.free_memory()
        selected = loop.selection.epoch
        assert selected is not None  # at least one epoch was run, now or before the checkpoint
        memory = peak_memory(accelerator.device)
    step_seconds = loop.timed[0] / max(loop.timed[1], 1)
    return Fitted(network, loop.history, selected, loop.seconds, loop.steps, step_seconds, memory)
