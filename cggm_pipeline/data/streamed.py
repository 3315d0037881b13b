"""Batches from disk: for splits that do not fit on the device. Threads read ahead, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data import threads
from cggm_pipeline.data.augmentations.base import Augmentation
from cggm_pipeline.data.batch import Batch, Batches, Steps
from cggm_pipeline.data.fronts import padded, processed
from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.prepared import Split


class Streamed(Batches):
    """Samples are copied out of the memory-mapped files by `workers` threads, `ahead` batches in advance.

    `workers` null: one per processor, at most eight; at least as many batches are read ahead.

    Threads, not processes: what they do (copy from the page cache, decode images) runs without the interpreter's lock,
    and nothing has to be pickled. On a GPU, batches are pinned and copied without waiting.
    """

    def __init__(
        self,
        split: Split,
        *,
        modalities: Sequence[str] | None = None,
        transforms: Steps | None = None,
        augment: Sequence[Augmentation] = (),
        gaps: Gaps | None = None,
        device: torch.device | str = "cpu",
        workers: int | None = None,
        ahead: int = 4,
    ) -> None:
        super().__init__(split, modalities=modalities, transforms=transforms, augment=augment, gaps=gaps, device=device)
        self.workers = workers or threads.number()
        self.ahead = max(ahead, self.workers)
        self._present = {name: split.present(name) for name in self.modalities}

    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="batches") as pool:
            try:
                for rows in bounds:
                    waiting.append(pool.submit(self._read, positions[rows]))
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
            known = self._present[name]
            present = None if known is None else known[rows]
            values, mask = self._values(name, rows, present)
            inputs[name] = Input(values, mask, None if present is None else torch.from_numpy(present))
        return Batch(inputs, torch.from_numpy(self.split.targets(rows)), positions)

    def _values(self, name: str, rows: np.ndarray, present: np.ndarray | None) -> tuple[Tensor, Tensor | None]:
        values = self.split.take(name, rows)
        front = self.fronts[name]
        if front is not None:
            results = processed(front, values, present)
            return (torch.from_numpy(np.stack(results)), None) if front.stacks else padded(results, text=False)
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
