"""The meter of segmentations: Dice per slice and per case, counted while the slices go by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.tasks.meter import Meter
from cggm_pipeline.tasks.overlap import case_dice, slice_dice
from cggm_pipeline.tasks.volumes import Volumes


def case_lengths(groups: Sequence[str]) -> list[int]:
    """Samples per case; those of a case stand together."""
    return [len(list(members)) for _, members in groupby(groups)]


class CaseMeter(Meter):
    """Keeps numbers of pixels per slice, on their device.

    `lengths`: slices per case (null: one each). `classes(logits, (H, W))` and `sizes(predicted, target)` are the
    task's. `volumes` measures HD95 (null: it is not measured). `loss` of the split is the mean of the batches' losses,
    weighted by their numbers of samples.
    """

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor], Tensor],
        classes: Callable[[Tensor, Sequence[int]], Tensor],
        sizes: Callable[[Tensor, Tensor], Tensor],
        regions: Sequence[str],
        lengths: Sequence[int] | None,
        volumes: Volumes | None,
    ) -> None:
        self._loss, self._classes, self._sizes = loss, classes, sizes
        self._regions, self._lengths, self._volumes = list(regions), lengths, volumes
        self._losses: list[Tensor] = []
        self._counts: list[Tensor] = []

    @torch.no_grad()
    def add(self, logits: Tensor, target: Tensor) -> None:
        self._losses.append(self._loss(logits.float(), target).double() * len(target))
        predicted = self._classes(logits, target.shape[-2:])
        self._counts.append(self._sizes(predicted, target))
        if self._volumes is not None:
            self._volumes.add(predicted, target)

    def result(self) -> dict[str, float]:
        """`loss`; `dice` and `slice_dice` of every region and averaged over them; `hd95` of every region."""
        slices = slice_dice(torch.cat(self._counts)).cpu().numpy()
        found = self.samples() | self._by_region("slice_dice", slices)  # over slices, not over their cases
        loss = float(torch.stack(self._losses).sum()) / len(slices)
        return {"loss": loss} | {name: float(values.mean()) for name, values in found.items()}

    def samples(self) -> dict[str, np.ndarray]:
        """Dice and HD95 of every case, and what its slices add to the mean Dice per slice.

        Slices of a case resemble each other, so that cases are drawn anew and never slices. A case adds the sum of its
        slices' Dice over the mean number of slices in a case: the mean of that over cases is the mean over slices.
        """
        counts = torch.cat(self._counts).cpu()
        lengths = self._lengths or [1] * len(counts)
        cases = [case.sum(0) for case in counts.split_with_sizes(lengths)]
        found = self._by_region("dice", case_dice(torch.stack(cases)).numpy())
        found |= {} if self._volumes is None else self._volumes.found()
        sums = [case.sum(0) for case in slice_dice(counts).split_with_sizes(lengths)]
        return found | self._by_region("slice_dice", torch.stack(sums).numpy() * (len(cases) / len(counts)))

    def _by_region(self, metric: str, values: np.ndarray) -> dict[str, np.ndarray]:
        own = {f"{metric}_{region}": values[:, k] for k, region in enumerate(self._regions)}
        return {metric: values.mean(1)} | own
