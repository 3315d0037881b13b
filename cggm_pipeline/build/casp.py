"""CASP's two stages on one seed: what `adaptation: {kind: casp}` computes from weights and the inputs of one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cggm_pipeline.build.adapted import PSEUDO, TRAJECTORY, read_trajectory
from cggm_pipeline.build.npz import npz
from cggm_pipeline.build.run import Run
from cggm_pipeline.data.batches import Batch, order
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.contrast import contrast
from cggm_pipeline.evaluation.adaptation.epochs import Tell
from cggm_pipeline.evaluation.adaptation.pseudo import Sampled, pseudo
from cggm_pipeline.evaluation.adaptation.stability import instability, selected
from cggm_pipeline.evaluation.predictors.plain import fitting
from cggm_pipeline.spec.adaptation import OfflineCASP
from cggm_pipeline.training.outputs import HISTORY, history_csv

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Adapted:
    """One seed under adaptation. `before`: its folder of the stage before."""

    run: Run
    spec: OfflineCASP
    before: Path
    tell: Tell

    @property
    def ids(self) -> list[str]:
        """Of the split's samples."""
        return list(self.run.prepared.split(self.spec.split).ids)

    def batches(self, batch_size: int, taken: Tensor | None = None) -> Iterator[Batch]:
        """The split in this order (None: its own), without random transforms."""
        return self.run.data[self.spec.split].batches(batch_size, order=taken, train=False)

    def order(self, number: int, epoch: int) -> Tensor:
        """The order of an epoch over `number` samples."""
        return order(number, self.run.options.seed, epoch) if self.spec.shuffle else torch.arange(number)


def contrasted(one: Adapted) -> Files:
    """Adapt the run's network contrastively; its predictions meanwhile, and the history."""
    spec, data = one.spec, one.run.data[one.spec.split]
    found = contrast(
        one.run.built.network,
        lambda: (batch.inputs for batch in one.batches(fitting(data))),
        lambda epoch: (batch.inputs for batch in one.batches(spec.batch_size, one.order(len(data), epoch))),
        one.run.built.task.predict,
        epochs=spec.epochs,
        every=spec.every,
        temperature=spec.temperature,
        lr=spec.lr,
        clip=spec.clip,
        drop=spec.drop,
        seed=one.run.options.seed,
        tell=one.tell,
    )
    kept = npz(trajectory=found.trajectory.numpy(), ids=one.ids)
    return {TRAJECTORY: kept, HISTORY: history_csv(found.history).encode()}


def taught(one: Adapted) -> Files:
    """Train the run's network on stable pseudo-labels; these, and the history."""
    spec, network, task = one.spec, one.run.built.network, one.run.built.task
    trajectory = read_trajectory(one.before)
    unstable = instability(trajectory)
    rows = selected(unstable, quantile=spec.quantile, form=spec.form)
    if not len(rows):
        raise BuildError(f"{one.before}: error: form {spec.form} selects none of {len(unstable)} samples")
    labels = task.label(trajectory.mean(0))

    def epoch_of(epoch: int) -> Iterator[Sampled]:
        for batch in one.batches(spec.batch_size, rows[one.order(len(rows), epoch)]):
            yield batch.inputs, batch.index

    history = pseudo(
        network,
        epoch_of,
        labels.to(next(network.parameters()).device),
        task.loss,
        epochs=spec.pseudo_epochs,
        lr=spec.lr,
        clip=spec.clip,
        tell=one.tell,
    )
    kept = npz(instability=unstable.numpy(), selected=rows.numpy(), label=labels.numpy(), ids=one.ids)
    return {PSEUDO: kept, HISTORY: history_csv(history).encode()}
