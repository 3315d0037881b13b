"""A small data set in memory, for the tests that train: any number of modalities, every form of target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cggm_pipeline.data.batch import Batch, Batches
from cggm_pipeline.data.input import Input
from cggm_pipeline.data.manifest import Form

CLASSES, VALUES, SIZE = 3, 2, 8
SHAPES: dict[str, tuple[int, ...]] = {"vector": (5,), "tokens": (4, 5), "pyramid": (1, SIZE, SIZE)}
"""A sample's shape by the layout of the features that the encoders make of it."""


@dataclass
class Column:
    """What the loop asks of a column."""

    form: Form


@dataclass
class Whole:
    """What the loop asks of a split."""

    columns: dict[str, Column]
    groups: None = field(default=None)


class Toy(Batches):
    """`number` samples whose modalities, the first most, tell the target. The last sample lacks the first modality."""

    def __init__(self, names: Sequence[str], layout: str, target: str, number: int, seed: int) -> None:
        self.modalities = sorted(names)
        self.split: Any = Whole({name: Column(Form(SHAPES[layout], "float32")) for name in names})
        self.augment, self.device = (), torch.device("cpu")
        self.transforms = {name: [] for name in names}
        generator = torch.Generator().manual_seed(seed)
        self.target, signal = drawn(target, number, layout, generator)
        self.values = {
            name: torch.randn(number, *SHAPES[layout], generator=generator) + signal / (1 + place)
            for place, name in enumerate(self.modalities)
        }
        self.present = {self.modalities[0]: torch.arange(number) != number - 1}
        self.values[self.modalities[0]][-1] = 0.0

    def __len__(self) -> int:
        return len(self.target)

    def _load(self, positions: Tensor, bounds: Sequence[slice]) -> Iterator[Batch]:
        for rows in bounds:
            index = positions[rows]
            inputs: Mapping[str, Input] = {
                name: Input(values[index], None, self.present[name][index] if name in self.present else None)
                for name, values in self.values.items()
            }
            yield Batch(inputs, self.target[index], index)


def drawn(target: str, number: int, layout: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Targets, and what they add to the values of a modality."""
    if target == "mask":
        classes = torch.randint(CLASSES, (number, SIZE, SIZE), generator=generator)
        return classes, classes[:, None].float()
    if target == "values":
        values = torch.randn(number, VALUES, generator=generator)
        width = SHAPES[layout][-1]
        signal = torch.cat([values, torch.zeros(number, width - VALUES)], 1)
    else:
        values = torch.arange(number) % CLASSES
        signal = torch.eye(SHAPES[layout][-1])[values]
    return values, signal if layout == "vector" else signal[:, None]
