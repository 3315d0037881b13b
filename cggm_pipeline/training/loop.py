"""The loop over epochs and steps, with everything that a checkpoint must hold to go on as if nothing had happened."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object

from cggm_pipeline.data.batches import Batches
from cggm_pipeline.evaluation.diagnosis import ALONE, Warned, news
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.subsets import alone
from cggm_pipeline.modulations.base import Modulation, Rehearsal
from cggm_pipeline.network import Network
from cggm_pipeline.schedules.base import Schedule
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training import rng
from cggm_pipeline.training.checkpoint import Checkpoints
from cggm_pipeline.training.draws import Draws
from cggm_pipeline.training.log import EpochLog
from cggm_pipeline.training.moment import Moment, Progress
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.probe import Rehearse, TrainingProbe
from cggm_pipeline.training.processes import first
from cggm_pipeline.training.rehearsal import train_copies
from cggm_pipeline.training.selection import Selection
from cggm_pipeline.training.step import Stepper
from cggm_pipeline.training.watch import Watch

TELL_SECONDS = 0.2
EPOCH_SECONDS = 1.0
"""At an epoch's end a checkpoint is written if the last one is older than this (or than `checkpoint_seconds`)."""
CHECKPOINT_SHARE = 0.05
"""Writing checkpoints by time takes at most this share of it: one of a large network takes seconds."""


class Loop:
    """One seed's training. `position` is the next step: (epoch, index within it). `steps` were made so far.

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
        schedule: Schedule,
        predictor: Predictor,
    ) -> None:
        self._accelerator, self._network, self._task, self._modulation = accelerator, network, task, modulation
        self._train, self._valid, self._options, self._progress = train, valid, options, progress
        self._predictor = predictor.selecting
        self._draws = Draws(train, schedule, options)
        self.steps = 0
        self._stepper = Stepper(accelerator, network, task, modulation, options)
        self._schedule = options.scheduler(self._stepper.optimizer, options.epochs)
        self._watch = Watch(self._stepper.watched, accelerator.device)
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
        """All epochs that are left. Without any epoch the network is measured as it is, and kept."""
        if not self._options.epochs:
            self._keep(0, first(self._measured()), {"train_loss": math.nan})
        while self.position[0] < self._options.epochs and not self.selection.exhausted(self.position[0] - 1):
            started = time.monotonic()
            self._epoch(started)

    def _epoch(self, started: float) -> None:
        epoch, start = self.position
        before = self.seconds
        if start == 0:
            probe = self._probe(epoch)
            self._draws.begin(epoch, probe)
            self._modulation.start_epoch(epoch, probe)
        self._network.train()
        self._modulation.train()
        for index, batch in enumerate(self._draws.batches(epoch, start), start):
            turns = self._draws.turns(epoch, index)
            record, values = self._stepper(batch, epoch, index, turns)
            self._log.add(record)
            self._watch.see(values, self.steps)
            self.steps += len(turns)
            if (index + 1) % self._options.watch_every == 0:
                self._watch.check(epoch)
            self.position = (epoch, index + 1)
            self.seconds = before + time.monotonic() - started
            self._between_steps()
        self._watch.check(epoch)  # waits for the device, so that the clock tells what the steps took
        self.timed = (self.timed[0] + time.monotonic() - started, self.timed[1] + self.position[1] - start)
        self._finish_epoch(epoch)
        self.seconds = before + time.monotonic() - started
        self._save(EPOCH_SECONDS)
        self._tell(row=self.history[-1])

    def _probe(self, epoch: int) -> TrainingProbe:
        return self._probe_of(self._network, epoch, self._options.epochs, self._rehearse)

    def _probe_of(self, network: Network, epoch: int, epochs: int, rehearse: Rehearse | None) -> TrainingProbe:
        data = {"train": self._train, "valid": self._valid}
        return TrainingProbe(network, data, seed=self._options.seed, epoch=epoch, epochs=epochs, rehearse=rehearse)

    def _rehearse(self, method: Modulation, epochs: int) -> Rehearsal:
        """See `Probe.rehearse`."""
        self._tell(note=f"training a copy on the side, for {epochs} epochs")
        network, method = train_copies(
            self._accelerator,
            (self._network, method),
            self._task,
            self._options,
            epochs,
            self._draws.ordinary,
        )
        return Rehearsal(self._probe_of(network, epochs, epochs, None), method, dict(network.encoders.items()))

    def _finish_epoch(self, epoch: int) -> None:
        self._modulation.end_epoch(epoch, self._probe(epoch))
        valid = first(self._measured())
        self._keep(epoch, valid, self._log.fetch())
        for warned in news(self.history, metric=self._options.metric, mode=self._options.mode):
            self._tell(warned=warned)
        self._schedule.step(valid["loss"])
        self.position = (epoch + 1, 0)

    def _keep(self, epoch: int, valid: dict[str, float], logged: dict[str, float]) -> None:
        """The epoch's row of the history, and its weights where they are the best so far."""
        row = {"epoch": float(epoch), "train_loss": logged.pop("train_loss")}
        row |= {name if name.startswith(ALONE) else f"valid_{name}": value for name, value in valid.items()} | logged
        self.history.append(row)
        self.selection.see(epoch, valid, self._network)

    def _measured(self) -> dict[str, float]:
        """The validation metrics, and what each modality scores alone where that is asked for."""
        valid = evaluate(self._network, self._task, self._valid, predictor=self._predictor)
        if not self._options.modality_scores:
            return valid
        scores = alone(self._network, self._task, self._valid, self._options.metric)
        return valid | {f"{ALONE}_{name}": score for name, score in scores.items()}

    def _between_steps(self) -> None:
        now = time.monotonic()
        every = self._options.checkpoint_steps
        if every is not None and self.position[1] % every == 0:
            self._save(0.0)
        elif self._accelerator.num_processes == 1:  # processes would not agree on the time
            self._save(self._options.checkpoint_seconds)
        if now - self._told > TELL_SECONDS:
            self._tell()

    def _tell(self, row: dict[str, float] | None = None, note: str = "", warned: Warned | None = None) -> None:
        epoch, index = self.position
        share = (epoch + index / self._draws.number()) / self._options.epochs
        self._told = time.monotonic()
        self._progress(Moment(self._options.seed, epoch, self._options.epochs, share, row or {}, note, warned))

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
            "draws": self._draws,
            "selection": self.selection,
            "log": self._log,
            "watch": self._watch,
        }
        scaler = self._accelerator.scaler
        return parts if scaler is None else {**parts, "scaler": scaler}

    def _state(self) -> dict[str, Any]:
        own = {"position": self.position, "history": self.history, "seconds": self.seconds, "timed": self.timed}
        return {**own, "steps": self.steps, **{name: part.state_dict() for name, part in self._parts().items()}}

    def _load(self, content: dict[str, Any]) -> None:
        self.position, self.history = content["position"], content["history"]
        self.seconds, self.timed, self.steps = content["seconds"], content["timed"], content["steps"]
        if self.position[1]:
            self._modulation.start_epoch(self.position[0])  # sets what is no buffer; the buffers come next
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        rng.restore(content["generators"][self._accelerator.process_index])
