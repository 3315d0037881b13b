"""A batch, and what both ways of making batches share: the order of an epoch, the seeds of a batch, the transforms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.columns import Encoded
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.prepared import Split
from cggm_pipeline.data.transforms.base import Transform
from cggm_pipeline.data.transforms.resize import Resize
from cggm_pipeline.errors import DataError


@dataclass(frozen=True)
class Batch:
    """`inputs` per modality; `target` (B,) int64 or (B, width) float32; `index` (B,) int64, positions in the split."""

    inputs: Mapping[str, Input]
    target: Tensor
    index: Tensor


def derived_seed(*parts: object) -> int:
    """A seed in [0, 2**63) for what the parts name. Different parts give independent generators."""
    return int.from_bytes(sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1


def order(number: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch takes `number` samples: a permutation, (number,) int64 on the CPU."""
    generator = torch.Generator().manual_seed(derived_seed("order", seed, epoch))
    return torch.randperm(number, generator=generator)


def spans(number: int, batch_size: int, *, train: bool) -> list[slice]:
    """Which of `number` positions make which batch: `batch_size` each, the rest in the last one.

    `train`: a last batch of a single sample is joined to the one before, which then has `batch_size` + 1, because batch
    normalisation has no variance of one sample. With `batch_size` 1, or one sample in all, nothing is joined.
    """
    edges = [*range(0, number, batch_size), number]
    if train and len(edges) > 2 and number % batch_size == 1:
        del edges[-2]
    return [slice(first, last) for first, last in pairwise(edges)]


class Batches(ABC):
    """The batches of one split. Resident and streamed batches are the same, bit for bit.

    `modalities`: those to load (null: all of the split). `transforms`: per modality, in order. Values are float32,
    except int64 where the data are int64 or text (the bytes of its UTF-8 form). Random transforms draw from a generator
    on the device, seeded by (seed, epoch, number of the batch, modality): whoever continues at batch k gets what the
    uninterrupted run had got, and a modality's draws do not depend on the others.
    """

    def __init__(
        self,
        split: Split,
        *,
        modalities: Sequence[str] | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.split = split
        self.device = torch.device(device)
        names = list(split.columns) if modalities is None else list(modalities)
        unknown = [name for name in names if name not in split.columns]
        if unknown:
            raise DataError(f"the data have no modality {', '.join(unknown)} (they have {', '.join(split.columns)})")
        steps = {name: list((transforms or {}).get(name, ())) for name in names}
        self.stacking = {name: _stacking(split, name, steps[name]) for name in names}
        self.transforms = {name: steps[name][1:] if self.stacking[name] else steps[name] for name in names}
        self.modalities = names

    def __len__(self) -> int:
        return len(self.split)

    def number(self, batch_size: int, *, train: bool = False) -> int:
        """Batches of an epoch; the last one may be smaller, none is dropped. `train`: as in `batches`."""
        return len(spans(len(self), batch_size, train=train))

    def batches(
        self,
        batch_size: int,
        *,
        order: Tensor | None = None,
        seed: int = 0,
        epoch: int = 0,
        train: bool = False,
        start: int = 0,
    ) -> Iterator[Batch]:
        """Batches number `start`, `start` + 1, ... of an epoch.

        `order`: positions to take, in order, (k,) int64 on the CPU (null: all, as they stand). `train`: whether random
        transforms act (`seed` and `epoch` are theirs), and whether a last batch of one sample joins the one before.
        """
        positions = torch.arange(len(self)) if order is None else order
        bounds = spans(len(positions), batch_size, train=train)[start:]
        for number, batch in enumerate(self._load(positions, bounds), start):
            inputs = {}
            for name, given in batch.inputs.items():
                generator = torch.Generator(self.device)
                if train and any(step.augments for step in self.transforms[name]):
                    generator.manual_seed(derived_seed("transforms", seed, epoch, number, name))
                inputs[name] = transformed(given, self.transforms[name], generator, train)
            yield Batch(inputs, batch.target, batch.index)

    @abstractmethod
    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        """A batch for each slice of `positions`, on the device, as they stand in the prepared form."""


def transformed(given: Input, steps: Sequence[Transform], generator: torch.Generator, train: bool) -> Input:
    """The input after its transforms. Padding and absent samples are zeros again afterwards."""
    values = given.values
    if values.dtype not in (torch.float32, torch.int64):
        values = values.float()
    for step in steps:
        if train or not step.augments:
            values = step(values, given.mask, generator)
    if steps:
        for gone in (given.mask, None if given.present is None else ~given.present):
            if gone is not None:
                values = values.masked_fill(gone.view(*gone.shape, *[1] * (values.ndim - gone.ndim)), 0)
    return Input(values, given.mask, given.present)


def stacked(images: Iterable[np.ndarray], step: Resize) -> Tensor:
    """Images of different sizes, made one size: (B, C, H, W) float32."""
    return torch.cat([step(torch.from_numpy(image)[None].float(), None, None) for image in images])


def _stacking(split: Split, name: str, steps: Sequence[Transform]) -> Resize | None:
    if not isinstance(split.columns[name], Encoded):
        return None
    if not steps or not isinstance(steps[0], Resize):
        raise DataError(
            f"modality {name}: its images vary in size ({split.columns[name].form}), so they need one size before they "
            f"can stand in a batch. Put a resize first: transforms: [{{kind: resize, size: [224, 224]}}, ...]"
        )
    return steps[0]
