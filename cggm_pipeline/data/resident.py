"""Batches from memory: a small split lies on the device as a whole, and a batch is an index away."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.augmentations.base import Augmentation
from cggm_pipeline.data.batch import Batch, Batches, Steps
from cggm_pipeline.data.fronts import processed
from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.prepared import Split
from cggm_pipeline.data.transforms.base import FrontEnd


class Resident(Batches):
    """All samples on the device. A batch never waits for the host: only lengths of sequences are also kept there."""

    def __init__(
        self,
        split: Split,
        *,
        modalities: Sequence[str] | None = None,
        transforms: Steps | None = None,
        augment: Sequence[Augmentation] = (),
        gaps: Gaps | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(split, modalities=modalities, transforms=transforms, augment=augment, gaps=gaps, device=device)
        self._target = torch.from_numpy(split.targets(np.arange(len(split)))).to(self.device)
        self._stores = {name: _store(split, name, self.fronts[name], self.device) for name in self.modalities}
        present = {name: split.present(name) for name in self.modalities}
        self._present = {
            name: torch.from_numpy(there.copy()).to(self.device) for name, there in present.items() if there is not None
        }

    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        placed = positions.to(self.device)
        for rows in bounds:
            here, index = positions[rows], placed[rows]
            inputs = {}
            for name, store in self._stores.items():
                present = self._present.get(name)
                values, mask = store.take(here, index)
                inputs[name] = Input(values, mask, None if present is None else present.index_select(0, index))
            yield Batch(inputs, self._target.index_select(0, index), index)


class _Store(ABC):
    @abstractmethod
    def take(self, here: Tensor, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Values and padding mask of these samples; `here` are the same positions as `index`, on the CPU."""


class _Dense(_Store):
    def __init__(self, values: Tensor) -> None:
        self.values = values

    def take(self, here: Tensor, index: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.values.index_select(0, index), None


class _Sequences(_Store):
    """Sequences end to end; `starts` and `lengths` on the device, `known` the lengths on the host."""

    def __init__(self, arrays: Sequence[np.ndarray], device: torch.device, *, text: bool = False) -> None:
        flat = torch.from_numpy(np.concatenate(arrays))
        self.known = np.array([len(array) for array in arrays])
        self.values = (flat.long() if text else flat).to(device)
        self.lengths = torch.from_numpy(self.known).to(device)
        self.starts = torch.from_numpy(self.known.cumsum() - self.known).to(device)

    def take(self, here: Tensor, index: Tensor) -> tuple[Tensor, Tensor | None]:
        longest = int(self.known[here.numpy()].max())  # on the host: the device is not asked
        steps = torch.arange(longest, device=index.device)
        mask = steps >= self.lengths.index_select(0, index).unsqueeze(1)
        where = (self.starts.index_select(0, index).unsqueeze(1) + steps).masked_fill(mask, 0)
        values = self.values.index_select(0, where.flatten()).view(*where.shape, *self.values.shape[1:])
        return values.masked_fill(mask.view(*mask.shape, *[1] * (values.ndim - 2)), 0), mask


def _store(split: Split, name: str, front: FrontEnd | None, device: torch.device) -> _Store:
    form = split.columns[name].form
    if front is not None:
        samples = (split.take(name, [index])[0] for index in range(len(split)))
        results = processed(front, samples, split.present(name))
        dense = front.stacks
        return _Dense(torch.from_numpy(np.stack(results)).to(device)) if dense else _Sequences(results, device)
    values = split.take(name, np.arange(len(split)))
    if isinstance(values, np.ndarray):
        return _Dense(torch.from_numpy(values).to(device))
    return _Sequences(values, device, text=form.dtype == "text")
