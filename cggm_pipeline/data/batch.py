"""A batch, and what both ways of making batches share: the seeds of a batch, its transforms and augmentations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from cggm_pipeline.data.augmentations.base import Augmentation
from cggm_pipeline.data.fronts import front_end
from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.prepared import Split
from cggm_pipeline.data.sampling import derived_seed, spans
from cggm_pipeline.data.transforms.base import FrontEnd, Transform
from cggm_pipeline.errors import DataError

Steps = Mapping[str, Sequence[Transform | FrontEnd]]
"""Per modality what happens to it, in order; a front end can only be the first."""

Absent = Mapping[str, Tensor]
"""Modality to a mask over samples: where it is left out."""


@dataclass(frozen=True)
class Batch:
    """`inputs` per modality; `index` (B,) int64, positions in the split.

    `target`: (B,) int64 class indices, (B, width) float32, or (B, H, W) int64 classes of pixels.
    """

    inputs: Mapping[str, Input]
    target: Tensor
    index: Tensor


class Batches(ABC):
    """The batches of one split. Resident and streamed batches are the same, bit for bit.

    `modalities`: those to load (null: all of the split). `transforms`: per modality, in order. Values are float32,
    except int64 where the data are int64 or text (the bytes of its UTF-8 form, or its tokens). Random transforms draw
    from a generator on the device, seeded by (seed, epoch, number of the batch, modality): whoever continues at batch k
    gets what the uninterrupted run had got, and a modality's draws do not depend on the others. `augment`: after the
    transforms, in training, on all images and the mask together, drawn from (seed, epoch, number of the batch).
    `gaps`: what samples lack besides what the data lack, in training and evaluation alike.
    """

    gaps: Gaps | None = None

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
        self.split = split
        self.gaps = gaps
        self.augment = tuple(augment)
        self.device = torch.device(device)
        names = list(split.columns) if modalities is None else list(modalities)
        unknown = [name for name in names if name not in split.columns]
        if unknown:
            raise DataError(f"the data have no modality {', '.join(unknown)} (they have {', '.join(split.columns)})")
        self.fronts: dict[str, FrontEnd | None] = {}
        self.transforms: dict[str, list[Transform]] = {}
        for name in names:
            steps = (transforms or {}).get(name, ())
            self.fronts[name], self.transforms[name] = front_end(split.columns[name], name, steps)
        self.modalities = names

    def __len__(self) -> int:
        return len(self.split)

    def under(self, gaps: Gaps | None) -> Self:
        """The same split with other gaps; what is in memory is shared."""
        other = copy(self)
        other.gaps = gaps
        return other

    def number(self, batch_size: int, *, train: bool = False) -> int:
        """Batches of an epoch; the last one may be smaller, none is dropped. `train`: as in `batches`."""
        return len(spans(len(self), batch_size, train=train))

    def batches(
        self,
        batch_size: int,
        *,
        order: Tensor | None = None,
        absent: Mapping[str, Tensor] | None = None,
        seed: int = 0,
        epoch: int = 0,
        train: bool = False,
        start: int = 0,
    ) -> Iterator[Batch]:
        """Batches number `start`, `start` + 1, ... of an epoch.

        `order`: positions to take, in order, (k,) int64 on the CPU (null: all, as they stand). `absent`: modality to
        (k,) bool, aligned with the order: where it is left out although the sample has it. `train`: whether random
        transforms act (`seed` and `epoch` are theirs), and whether a last batch of one sample joins the one before.
        """
        positions = torch.arange(len(self)) if order is None else order
        bounds = spans(len(positions), batch_size, train=train)
        gaps = self._gaps(epoch if train else None)
        for number, batch in enumerate(self._load(positions, bounds[start:]), start):
            left_out = {name: rows[bounds[number]].to(self.device) for name, rows in (absent or {}).items()}
            taken = {name: rows.index_select(0, batch.index) for name, rows in gaps.items()}
            inputs = {}
            for name, given in thinned(batch.inputs, left_out, taken).items():
                generator = torch.Generator(self.device)
                if train and any(step.augments for step in self.transforms[name]):
                    generator.manual_seed(derived_seed("transforms", seed, epoch, number, name))
                inputs[name] = transformed(given, self.transforms[name], generator, train)
            target = batch.target if batch.target.is_floating_point() else batch.target.long()
            whole = Batch(inputs, target, batch.index)
            yield self._augmented(whole, derived_seed("augment", seed, epoch, number)) if train else whole

    def _gaps(self, epoch: int | None) -> dict[str, Tensor]:
        """Modality to (N,) bool on the device: what the pattern takes, by position. `epoch` None: no training."""
        absent = {} if self.gaps is None else self.gaps.absent(epoch)
        return {name: torch.from_numpy(rows).to(self.device) for name, rows in absent.items()}

    def _augmented(self, batch: Batch, seed: int) -> Batch:
        images = {name: given.values for name, given in batch.inputs.items() if _image(given)}
        if not self.augment or not images:
            return batch
        generator = torch.Generator(self.device).manual_seed(seed)
        mask = batch.target if batch.target.ndim == 3 else None
        for step in self.augment:
            images, mask = step(images, mask, generator)
        inputs = {
            name: Input(images[name], None, given.present) if name in images else given
            for name, given in batch.inputs.items()
        }
        return Batch(inputs, batch.target if mask is None else mask, batch.index)

    @abstractmethod
    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        """A batch for each slice of `positions`, on the device, as they stand in the prepared form."""


def thinned(inputs: Mapping[str, Input], absent: Absent, gaps: Absent) -> dict[str, Input]:
    """The inputs without what `absent` leaves out, then without what a missing pattern takes, each (B,) bool.

    The pattern was drawn for whole samples: where it would take what `absent` left, the sample keeps that.
    """
    left = without(inputs, absent)
    if absent and gaps:
        keeping = torch.stack([there(given) & ~gaps.get(name, none(given)) for name, given in left.items()]).any(0)
        gaps = {name: rows & keeping for name, rows in gaps.items()}
    return without(left, gaps)


def without(inputs: Mapping[str, Input], absent: Absent) -> dict[str, Input]:
    """The inputs, absent also where `absent` says so."""
    return {name: given.lacking(absent[name]) if name in absent else given for name, given in inputs.items()}


def there(given: Input) -> Tensor:
    """(B,) bool: which samples have the modality."""
    return ~none(given) if given.present is None else given.present


def none(given: Input) -> Tensor:
    """(B,) bool: no sample."""
    return torch.zeros(len(given.values), dtype=torch.bool, device=given.values.device)


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


def _image(given: Input) -> bool:
    return given.values.ndim == 4 and given.mask is None
