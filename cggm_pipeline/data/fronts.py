"""Front ends at work: which modality needs one, and what it makes of samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.data.columns import Column, Encoded
from cggm_pipeline.data.transforms.base import FrontEnd, Transform
from cggm_pipeline.errors import DataError


def front_end(col: Column, name: str, steps: Sequence[Transform | FrontEnd]) -> tuple[FrontEnd | None, list[Transform]]:
    """The front end of modality `name`, stored as `col`, if its transforms begin with one, and the transforms after it.

    DataError where one stands behind another transform, and where images vary in size and nothing gives them one.
    """
    front: FrontEnd | None = None
    rest = list(steps)
    if rest and isinstance(rest[0], FrontEnd):
        front, rest = rest[0], rest[1:]
    elif rest and isinstance(col, Encoded):
        assert isinstance(rest[0], Transform)
        front, rest = rest[0].front_end(), rest[1:]
    later = [type(step).__name__ for step in rest if isinstance(step, FrontEnd)]
    if later:
        raise DataError(f"modality {name}: {later[0]} reads samples as they are on disk; put it before all others")
    if isinstance(col, Encoded) and (front is None or not front.stacks):
        raise DataError(
            f"modality {name}: its images vary in size ({col.form}), so they need one size before they "
            f"can stand in a batch. Put a resize first: transforms: [{{kind: resize, size: [224, 224]}}, ...]"
        )
    return front, [step for step in rest if isinstance(step, Transform)]


def processed(front: FrontEnd, samples: Iterable[np.ndarray], present: np.ndarray | None) -> list[np.ndarray]:
    """What the front end makes of these samples; zeros (one zero step of a sequence) where `present` is False."""
    results = [front(sample) for sample in samples]
    for row in np.flatnonzero(~present).tolist() if present is not None else ():
        results[row] = np.zeros_like(results[row] if front.stacks else results[row][:1])
    return results


def padded(arrays: Sequence[np.ndarray], *, text: bool) -> tuple[Tensor, Tensor]:
    """Sequences of different length as (B, T, ...) with zeros at the end, and the mask (B, T), True at padding."""
    lengths = np.array([len(array) for array in arrays])
    values = np.zeros((len(arrays), lengths.max(), *arrays[0].shape[1:]), np.int64 if text else arrays[0].dtype)
    for row, array in zip(values, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(values), torch.from_numpy(np.arange(lengths.max()) >= lengths[:, None])
