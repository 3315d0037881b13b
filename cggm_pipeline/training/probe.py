"""The network between two epochs, as a modulation or a schedule may look at it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import torch
from torch import Tensor

from cggm_pipeline.data.batches import Batch, Batches
from cggm_pipeline.data.sampling import derived_seed
from cggm_pipeline.evaluation.predictors.plain import evaluating, fitting
from cggm_pipeline.layers.features import Output
from cggm_pipeline.modulations.base import Modulation, Probe, Rehearsal, Step
from cggm_pipeline.network import Network

Rehearse = Callable[[Modulation, int], Rehearsal]


class TrainingProbe(Probe):
    """See `Probe`. `data`: the batches of "train" and "valid". `rehearse` None: a rehearsal has none of its own."""

    def __init__(
        self,
        network: Network,
        data: Mapping[str, Batches],
        *,
        seed: int,
        epoch: int,
        epochs: int,
        rehearse: Rehearse | None,
    ) -> None:
        self._network, self._data, self._rehearse = network, data, rehearse
        self._seed, self._epoch, self.epochs = seed, epoch, epochs

    def steps(self, split: str, share: float = 1.0) -> Iterator[Step]:
        data = self._data[split]
        order = None if share >= 1 else self._drawn(len(data), share)
        for index, batch in enumerate(data.batches(fitting(data), order=order, train=False)):
            yield self._step(batch, index)  # in the network's own mode: who iterates may train, or stop in the middle

    def _step(self, batch: Batch, index: int) -> Step:
        with evaluating(self._network):
            output: Output = self._network(batch.inputs)

        def rerun(names: Collection[str]) -> Tensor:
            assert output.rerun is not None
            with evaluating(self._network):
                return output.rerun(names)

        return Step(
            features=output.features,
            fused=output.fused,
            logits=output.logits,
            target=batch.target,
            epoch=self._epoch,
            index=index,
            blocks=output.blocks,
            rerun=rerun,
            inputs=batch.inputs,
        )

    def rehearse(self, method: Modulation, epochs: int) -> Rehearsal:
        if self._rehearse is None:
            raise RuntimeError("a rehearsal cannot rehearse")
        return self._rehearse(method, epochs)

    def _drawn(self, number: int, share: float) -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed("probe", self._seed, self._epoch))
        return torch.randperm(number, generator=generator)[: max(1, round(share * number))]
