"""Another dataset's samples behind frozen encoders, as raw data of a dataset of features."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from cggm_pipeline.data.batches import Batches
from cggm_pipeline.data.manifest import SPLITS, File, Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw, Value
from cggm_pipeline.data.upstream import upstream_files
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.errors import DataError
from cggm_pipeline.layers.features import Features


class Frozen(Raw):
    """Ids, splits, groups and gaps of `prepared`; a sample is what the encoders say about it.

    A unit is a batch of `batch_size` samples in the order of the split: threads load and transform theirs side by side,
    and the encoders take one batch at a time. On a GPU, forward passes for float16 features run in float16.
    """

    def __init__(
        self,
        prepared: Prepared,
        encoders: Mapping[str, Encoder],
        batches: Mapping[str, Batches],
        forms: Mapping[str, Form],
        *,
        batch_size: int,
    ) -> None:
        self.prepared, self.encoders, self.batches, self.forms = prepared, encoders, batches, forms
        self.batch_size = batch_size
        sizes = [len(prepared.split(name)) for name in SPLITS]
        self.first = dict(zip(SPLITS, [0, *np.cumsum(sizes)[:-1].tolist()], strict=True))
        self.splits: list[str] = [name for name, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
        self.ids = [key for name in SPLITS for key in prepared.split(name).ids]
        self.labels: Sequence[str] = ()
        self.files = upstream_files(prepared.folder)
        self.absent = {name: self._absent(name) for name in encoders if name in prepared.manifest.gaps}
        self.banner = prepared.manifest.banner
        if prepared.manifest.grouped:
            self.groups = [group for name in SPLITS for group in prepared.split(name).groups or ()]
        self._device = threading.Lock()
        self._current = threading.local()

    def units(self, members: np.ndarray) -> Sequence[np.ndarray]:
        return [members[start : start + self.batch_size] for start in range(0, len(members), self.batch_size)]

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        position = index - self.first[self.splits[index]]
        batch = (self.splits[index], position // self.batch_size)
        if getattr(self._current, "batch", None) != batch:
            self._current.batch, self._current.values = batch, self._values(*batch)
        value: Mapping[str, Value] = self._current.values[position % self.batch_size]
        return value

    def mask(self, index: int) -> np.ndarray:
        split = self.splits[index]
        found: np.ndarray = self.prepared.split(split).targets([index - self.first[split]])[0]
        return found

    def _absent(self, name: str) -> np.ndarray:
        present = [self.prepared.split(split).present(name) for split in SPLITS]
        return np.concatenate([~there for there in present if there is not None])

    def _values(self, split: str, number: int) -> list[dict[str, Value]]:
        """The features of every sample of a batch."""
        start = number * self.batch_size
        positions = torch.arange(start, min(start + self.batch_size, len(self.batches[split])))
        (batch,) = self.batches[split].batches(self.batch_size, order=positions)
        columns: dict[str, list[Value]] = {}
        for name, encoder in self.encoders.items():
            given = batch.inputs[name]
            half = given.values.is_cuda and self.forms[name].dtype == "float16"
            with self._device, torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=half):
                features = encoder(given)
                values, masks = _host(features)
            there = [True] * len(values) if given.present is None else given.present.tolist()
            columns[name] = [self._cut(name, *row) for row in zip(values, masks, there, strict=True)]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _cut(self, name: str, values: np.ndarray, mask: np.ndarray | None, there: bool) -> Value:
        """A sample's features without padding. DataError where they have not the declared shape: all have not, then."""
        if not there:
            return None
        cut, form = values if mask is None else values[~mask], self.forms[name]
        pairs = zip(cut.shape, form.shape, strict=False)
        if cut.ndim != len(form.shape) or any(declared not in (None, size) for size, declared in pairs):
            raise DataError(
                f"modalities.{name}.shape: the features of '{name}' have shape {list(cut.shape)}, declared is {form}"
            )
        return cut


def _host(features: Features) -> tuple[np.ndarray, Sequence[np.ndarray | None]]:
    values = features.tensor.float().cpu().numpy()
    return values, [None] * len(values) if features.mask is None else list(features.mask.cpu().numpy())


def digest(encoder: Encoder) -> File:
    """Bytes and SHA-256 of all weights, with their names: what computed the features, wherever it was read from."""
    found, size = hashlib.sha256(), 0
    for name, tensor in sorted(encoder.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
        size += tensor.numel() * tensor.element_size()
    return File(size, found.hexdigest())
