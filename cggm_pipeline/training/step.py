"""One optimiser step: forward and backward per micro-batch, modulation, NaN flags, clipping, update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.modulations.base import Modulation, Step
from cggm_pipeline.network import Network
from cggm_pipeline.schedules.base import Turn
from cggm_pipeline.tasks.base import Task
from cggm_pipeline.training.gradients import Gradients
from cggm_pipeline.training.groups import parameter_groups
from cggm_pipeline.training.machine import attention
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.shares import cut
from cggm_pipeline.training.watch import Watched

WATCHED = [Watched("logits"), Watched("loss"), Watched("the modulation's objective")]


class Stepper:
    """Makes steps. Nothing in a step moves a value to the host."""

    def __init__(
        self,
        accelerator: Accelerator,
        network: Network,
        task: Task,
        modulation: Modulation,
        options: Options,
    ) -> None:
        self._accelerator, self._task, self._modulation, self._options = accelerator, task, modulation, options
        self._owned = network.owned()
        groups = parameter_groups(network, modulation, options.classifiers)
        self.optimizer = accelerator.prepare_optimizer(options.optimizer(groups))
        self._model = accelerator.prepare_model(network)
        for patched in ("forward", "_original_forward"):
            network.__dict__.pop(patched, None)  # Accelerate's autocast; the one in _backward holds the loss too
        self._gradients = Gradients(groups, network)
        # as batch normalisation needs it: no piece of a smaller last batch has one sample, unless every piece has
        self._least = 1 if options.batch_size < 2 * options.accumulate else 2
        self._scaled = options.precision == "float16"

    @property
    def watched(self) -> list[Watched]:
        """What the flags of a step stand for. Under float16 the scaler deals with gradients that overflow."""
        return WATCHED if self._scaled else WATCHED + self._gradients.watched

    def __call__(
        self, batch: Batch, epoch: int, index: int, turns: Sequence[Turn] = (None,)
    ) -> tuple[dict[str, Any], Tensor]:
        """One optimiser step for each turn on `batch`, number `index` of its epoch.

        What to log, and the values that must be finite: those of all turns added up.
        """
        made = [self._turn(batch, epoch, index, turn) for turn in turns]
        return merged([record for record, _ in made]), torch.stack([values for _, values in made]).sum(0)

    def _turn(self, batch: Batch, epoch: int, index: int, turn: Turn) -> tuple[dict[str, Any], Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        shares = cut(
            batch,
            pieces=self._options.accumulate,
            least=self._least,
            processes=self._accelerator.num_processes,
            process=self._accelerator.process_index,
        )
        totals: Tensor | None = None
        for share, weight in shares[:-1]:
            with self._accelerator.no_sync(self._model):
                values, _ = self._backward(share, weight, epoch, index, turn)
            totals = values if totals is None else totals + values
        values, seen = self._backward(*shares[-1], epoch, index, turn)
        totals = values if totals is None else totals + values
        return self._update(seen, totals)

    def _backward(self, batch: Batch, weight: float, epoch: int, index: int, turn: Turn) -> tuple[Tensor, Step]:
        """Forward and backward of one micro-batch: (sum of logits, loss, loss with penalty), weighted, and the step."""
        with self._accelerator.autocast(), attention(plain=self._modulation.second_order):
            output = self._model(batch.inputs, self._modulation.mask)
            step = Step(
                features=output.features,
                fused=output.fused,
                logits=output.logits,
                target=batch.target,
                epoch=epoch,
                index=index,
                blocks=output.blocks,
                rerun=output.rerun,
                samples=None if weight else 0,  # the one sample of a process without any, see `cut`
                inputs=batch.inputs,
                active=turn,
            )
            loss = self._task.loss(output.logits, batch.target)
            total = self._modulation.objective(loss, step)
            if turn is not None or self._accelerator.num_processes > 1:
                # every parameter takes part, with a gradient of zero: a distributed wrapper waits for each of them
                total = total + 0.0 * output.logits.float().sum()
        self._accelerator.backward(total if weight == 1.0 else total * weight)
        seen = torch.stack([step.logits.detach().float().sum(), loss.detach().float(), total.detach().float()])
        return (seen if weight == 1.0 else seen * weight), step

    def _update(self, step: Step, totals: Tensor) -> tuple[dict[str, Any], Tensor]:
        if self._scaled:
            self._accelerator.unscale_gradients(self.optimizer)
        with self._accelerator.autocast():
            record = self._modulation.modulate_(step)
        self._keep_still(step.active)
        norms = self._gradients.norms()
        if self._options.clip is not None:
            self._gradients.clip_(norms, self._options.clip)
        self._apply()
        logged = {"train_loss": totals[1], **record}
        moved = self._gradients.by_modality(norms)
        logged.setdefault(
            "grad_norm", {n: norm for n, norm in moved.items() if step.active is None or n in step.active}
        )
        return logged, totals if self._scaled else torch.cat([totals, norms])

    def _keep_still(self, turn: Turn) -> None:
        """Modalities out of turn lose their gradients, whatever a method made of them: zeros would not keep them still.

        Momentum and weight decay move a parameter whose gradient is zero; an optimiser skips one that has none.
        """
        for name, module in self._owned.items():
            if turn is not None and name not in turn:
                module.zero_grad(set_to_none=True)

    def _apply(self) -> None:
        """The optimiser's step, each modality's rate multiplied by what the modulation says."""
        factors = self._modulation.rates()
        rates = [(group, group["lr"]) for group in self.optimizer.param_groups if group["modality"] in factors]
        for group, rate in rates:
            group["lr"] = rate * factors[group["modality"]]
        self.optimizer.step()
        for group, rate in rates:
            group["lr"] = rate


def merged(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The records of a batch's turns as one: modalities side by side, means of what several turns have said."""
    both: dict[str, Any] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        found = [record[name] for record in records if name in record]
        if isinstance(found[0], Mapping):
            both[name] = {modality: value for one in found for modality, value in one.items()}
        else:
            both[name] = found[0] if len(found) == 1 else torch.stack(found).mean()
    return both
