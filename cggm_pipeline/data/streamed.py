"""Batches from disk: for splits that do not fit on the device. Threads read ahead, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.batch import Batch, Batches, stacked
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.prepared import Split
from cggm_pipeline.data.transforms.base import Transform


class Streamed(Batches):
    """Samples are copied out of the memory-mapped files by `workers` threads, `ahead` batches in advance.

    Threads, not processes: what they do (copy from the page cache, decode images) runs without the interpreter's lock,
    and nothing has to be pickled. On a GPU, batches are pinned and copied without waiting.
    """

    def __init__(
        self,
        split: Split,
        *,
        modalities: Sequence[str] | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        device: torch.device | str = "cpu",
        workers: int = 2,
        ahead: int = 4,
    ) -> None:
        super().__init__(split, modalities=modalities, transforms=transforms, device=device)
        self.workers = workers
        self.ahead = max(ahead, 1)
        self._target = split.target
        self._present = {name: split.present(name) for name in self.modalities}

    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="batches") as threads:
            try:
                for rows in bounds:
                    waiting.append(threads.submit(self._read, positions[rows]))
                    if len(waiting) > self.ahead:
                        yield self._placed(waiting.popleft().result())
                while waiting:
                    yield self._placed(waiting.popleft().result())
            finally:
                for future in waiting:
                    future.cancel()

    def _read(self, positions: Tensor) -> Batch:
        rows = positions.numpy()
        inputs = {}
        for name in self.modalities:
            values, mask = self._values(name, rows)
            present = self._present[name]
            inputs[name] = Input(values, mask, None if present is None else torch.from_numpy(present[rows]))
        return Batch(inputs, torch.from_numpy(self._target[rows]), positions)

    def _values(self, name: str, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        values = self.split.take(name, rows)
        resize = self.stacking[name]
        if resize:
            return stacked(values, resize), None
        if isinstance(values, np.ndarray):
            return torch.from_numpy(values), None
        return padded(values, text=self.split.columns[name].form.dtype == "text")

    def _placed(self, batch: Batch) -> Batch:
        inputs = {
            name: Input(
                self._sent(given.values),
                None if given.mask is None else self._sent(given.mask),
                None if given.present is None else self._sent(given.present),
            )
            for name, given in batch.inputs.items()
        }
        return Batch(inputs, self._sent(batch.target), self._sent(batch.index))

    def _sent(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cpu":
            return tensor
        return (tensor.pin_memory() if self.device.type == "cuda" else tensor).to(self.device, non_blocking=True)


def padded(arrays: Sequence[np.ndarray], *, text: bool) -> tuple[Tensor, Tensor]:
    """Sequences of different length as (B, T, ...) with zeros at the end, and the mask (B, T), True at padding."""
    lengths = np.array([len(array) for array in arrays])
    values = np.zeros((len(arrays), lengths.max(), *arrays[0].shape[1:]), np.int64 if text else arrays[0].dtype)
    for row, array in zip(values, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(values), torch.from_numpy(np.arange(lengths.max()) >= lengths[:, None])
