"""The samples of a split, read and checked by several threads, in the order of the split."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from cggm_pipeline.data import threads
from cggm_pipeline.data.columns import Column
from cggm_pipeline.data.content import Content
from cggm_pipeline.data.images import Picture
from cggm_pipeline.data.sources.base import Value
from cggm_pipeline.data.statistics import Part, part


@dataclass
class Sample:
    """What was read of a sample: its values, its mask if masks are the target, and what is wrong with it, in words.

    `parts`: what it adds to the statistics of each modality that it has.
    """

    index: int
    values: dict[str, Value] = field(default_factory=dict)
    mask: np.ndarray | None = None
    faults: list[str] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Its bytes in memory."""
        arrays = sum(v.nbytes if isinstance(v, np.ndarray) else len(v or b"") for v in self.values.values())
        return arrays + (0 if self.mask is None else self.mask.nbytes)


def read(content: Content, columns: Mapping[str, Column], split: str, *, measure: bool) -> Generator[Sample]:
    """Every sample of a split, faulty ones too; `measure`: with their part in the statistics."""
    members = content.members(split)
    units = content.raw.units(members)
    if not np.array_equal(np.concatenate([members[:0], *units]), members):
        raise AssertionError(f"{type(content.raw).__name__}.units does not give the samples of {split} in order")

    def unit(indices: np.ndarray) -> list[Sample]:
        return [_sample(content, columns, index, members, measure) for index in indices.tolist()]

    with closing(threads.in_order(unit, units, threads.number(content.raw.unit_bytes))) as read_units:
        for samples in read_units:
            while samples:  # and let go of each: what is written is not needed any more
                yield samples.pop(0)


def _sample(content: Content, columns: Mapping[str, Column], index: int, members: np.ndarray, measure: bool) -> Sample:
    sample = Sample(index)
    try:
        values = content.raw.sample(index, members)
        if content.mask is not None:
            sample.mask = checked(content.raw.mask(index), content.mask, len(content.classes))
    except ValueError as error:
        sample.faults.append(str(error))
        return sample
    for name, col in columns.items():
        try:
            sample.values[name] = None if values[name] is None else col.checked(values[name])
        except ValueError as error:
            sample.faults.append(f"{name}: {error}")
    if measure and not sample.faults:
        for name, value in sample.values.items():
            if value is not None and content.forms[name].dtype != "text":
                known = value.part if isinstance(value, Picture) else None
                sample.parts[name] = known or part(content.forms[name], columns[name].pixels(value))
    return sample


def checked(mask: np.ndarray, shape: tuple[int, int], number: int) -> np.ndarray:
    """The mask as uint8. ValueError where it has another shape, is not of whole numbers, or has a class too many."""
    if mask.shape != tuple(shape):
        raise ValueError(f"mask: it has shape {list(mask.shape)}, declared is {list(shape)} (target.shape)")
    if mask.dtype.kind not in "iub":
        raise ValueError(f"mask: it has dtype {mask.dtype}; classes are whole numbers")
    low, high = int(mask.min()), int(mask.max())
    if low < 0 or high >= number:
        found = low if low < 0 else high
        raise ValueError(f"mask: it has a pixel of class {found}; allowed are 0 to {number - 1} (target.number)")
    return np.ascontiguousarray(mask, np.uint8)
