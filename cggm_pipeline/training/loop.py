"""The loop over epochs and steps, with everything that a checkpoint must hold to go on as if nothing had happened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from cggm_pipeline.data.batches import Batches, order, spans
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training import rng
from cggm_pipeline.training.checkpoint import Checkpoints
from cggm_pipeline.training.log import EpochLog
from cggm_pipeline.training.moment import Moment, Progress
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.selection import Selection
from cggm_pipeline.training.step import Stepper
from cggm_pipeline.training.watch import Watch

TELL_SECONDS = 0.2
EPOCH_SECONDS = 1.0
"""At an epoch's end a checkpoint is written if the last one is older than this (or than `checkpoint_seconds`)."""
CHECKPOINT_SHARE = 0.05
"""Writing checkpoints by time takes at most this share of it: one of a large network takes seconds."""


class Loop:
    """One seed's training. `position` is the next step: (epoch, index within it).

    `seconds`: in the loop, validation included. `timed`: the seconds that runs of steps took, and their number.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        network: Network,
        task: Task,
        modulation: Modulation,
        train: Batches,
        valid: Batches,
        options: Options,
        progress: Progress,
    ) -> None:
        self._accelerator, self._network, self._task, self._modulation = accelerator, network, task, modulation
        self._train, self._valid, self._options, self._progress = train, valid, options, progress
        self.steps_per_epoch = len(spans(len(self._order(0)), options.batch_size, train=True))
        self._stepper = Stepper(accelerator, network, task, modulation, options)
        self._schedule = options.scheduler(self._stepper.optimizer, options.epochs)
        self._watch = Watch(self._stepper.watched, accelerator.device, self.steps_per_epoch)
        self._log = EpochLog()
        self.selection = Selection(options.metric, options.mode, options.patience)
        self.history: list[dict[str, float]] = []
        self.position = (0, 0)
        self.seconds = 0.0
        self.timed = (0.0, 0)
        self._checkpoints: Checkpoints | None = None
        self._saved = self._told = time.monotonic()
        self._cost = 0.0
        rng.seed_all(options.seed + 100_003 * accelerator.process_index)

    def resume(self, folder: Path, key: str) -> None:
        """Keep checkpoints in `folder`, and go on from the one that is there, if one is."""
        self._checkpoints = Checkpoints(folder, key=key, seed=self._options.seed)
        content, note = self._checkpoints.load()
        if content is not None:
            self._load(content)
            where = f"continuing at epoch {self.position[0]} of {self._options.epochs}"
            self._tell(note="; ".join(filter(None, [note, f"{where} (spec, data and code unchanged since)"])))

    def run(self) -> None:
        """All epochs that are left."""
        while self.position[0] < self._options.epochs and not self.selection.exhausted(self.position[0] - 1):
            started = time.monotonic()
            self._epoch(started)

    def _epoch(self, started: float) -> None:
        epoch, start = self.position
        before = self.seconds
        if start == 0:
            self._modulation.start_epoch(epoch)
        self._network.train()
        self._modulation.train()
        for index, batch in enumerate(self._batches(epoch, start), start):
            record, values = self._stepper(batch, epoch, index)
            self._log.add(record)
            self._watch.see(values, epoch * self.steps_per_epoch + index)
            if (index + 1) % self._options.watch_every == 0:
                self._watch.check()
            self.position = (epoch, index + 1)
            self.seconds = before + time.monotonic() - started
            self._between_steps()
        self._watch.check()  # waits for the device, so that the clock tells what the steps took
        self.timed = (self.timed[0] + time.monotonic() - started, self.timed[1] + self.position[1] - start)
        self._finish_epoch(epoch)
        self.seconds = before + time.monotonic() - started
        self._save(EPOCH_SECONDS)
        self._tell(row=self.history[-1])

    def _batches(self, epoch: int, start: int) -> Any:
        drawn, seed = self._order(epoch), self._options.seed
        return self._train.batches(
            self._options.batch_size, order=drawn, seed=seed, epoch=epoch, train=True, start=start
        )

    def _order(self, epoch: int) -> Tensor:
        """The samples of an epoch, in order; equally many in each."""
        options = self._options
        groups = self._train.split.groups if options.per_group else None
        return order(len(self._train), options.seed, epoch, groups, options.per_group)

    def _finish_epoch(self, epoch: int) -> None:
        self._modulation.end_epoch(epoch)
        valid = evaluate(self._network, self._task, self._valid)
        logged = self._log.fetch()
        row = {"epoch": float(epoch), "train_loss": logged.pop("train_loss")}
        row |= {f"valid_{name}": value for name, value in valid.items()} | logged
        self.history.append(row)
        self.selection.see(epoch, valid, self._network)
        self._schedule.step(valid["loss"])
        self.position = (epoch + 1, 0)

    def _between_steps(self) -> None:
        now = time.monotonic()
        every = self._options.checkpoint_steps
        if every is not None and self.position[1] % every == 0:
            self._save(0.0)
        elif self._accelerator.num_processes == 1:  # processes would not agree on the time
            self._save(self._options.checkpoint_seconds)
        if now - self._told > TELL_SECONDS:
            self._tell()

    def _tell(self, row: dict[str, float] | None = None, note: str = "") -> None:
        epoch, index = self.position
        share = (epoch + index / self.steps_per_epoch) / self._options.epochs
        self._told = time.monotonic()
        self._progress(Moment(self._options.seed, epoch, self._options.epochs, share, row or {}, note))

    def _save(self, seconds: float) -> None:
        """A checkpoint, if the last one is at least so old (several processes: always; they agree on no time)."""
        alone, started = self._accelerator.num_processes == 1, time.monotonic()
        wanted = min(seconds, self._options.checkpoint_seconds)
        due = started - self._saved >= (max(wanted, self._cost / CHECKPOINT_SHARE) if wanted else 0.0)
        if self._checkpoints is None or (alone and not due):
            return
        generators = [rng.capture()] if alone else gather_object([rng.capture()])
        if self._accelerator.is_main_process:
            self._checkpoints.save({**self._state(), "generators": generators})
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def _parts(self) -> dict[str, Any]:
        parts = {
            "network": self._network,
            "modulation": self._modulation,
            "optimizer": self._stepper.optimizer,
            "schedule": self._schedule,
            "selection": self.selection,
            "log": self._log,
            "watch": self._watch,
        }
        scaler = self._accelerator.scaler
        return parts if scaler is None else {**parts, "scaler": scaler}

    def _state(self) -> dict[str, Any]:
        own = {"position": self.position, "history": self.history, "seconds": self.seconds, "timed": self.timed}
        return {**own, **{name: part.state_dict() for name, part in self._parts().items()}}

    def _load(self, content: dict[str, Any]) -> None:
        self.position, self.history = content["position"], content["history"]
        self.seconds, self.timed = content["seconds"], content["timed"]
        if self.position[1]:
            self._modulation.start_epoch(self.position[0])  # sets what is no buffer; the buffers come next
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        rng.restore(content["generators"][self._accelerator.process_index])
