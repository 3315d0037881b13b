"""Training on the side: copies of a network and a method, of which nothing is left but what they have become."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from accelerate import Accelerator

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training import rng
from cggm_pipeline.training.machine import forgotten
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.step import Stepper


def train_copies(
    accelerator: Accelerator,
    originals: tuple[Network, Modulation],
    task: Task,
    options: Options,
    epochs: int,
    batches: Callable[[int], Iterable[Batch]],
) -> tuple[Network, Modulation]:
    """Copies of `originals`, after `epochs` epochs of `batches(epoch)` under a fresh optimiser and a fresh schedule.

    A schedule that waits for a plateau keeps its first rate. Originals, random state and accelerator stay as they are.
    """
    generators = rng.capture()
    network, method = copy.deepcopy(originals)  # in one go, so that what they share stays shared
    try:
        with forgotten(accelerator):
            stepper = Stepper(accelerator, network, task, method, options)
            schedule = options.scheduler(stepper.optimizer, epochs)
            for epoch in range(epochs):
                network.train()
                method.train()
                for index, batch in enumerate(batches(epoch)):
                    stepper(batch, epoch, index)
                if not schedule.sees_loss:
                    schedule.step(0.0)
    finally:
        rng.restore(generators)
    return network, method
