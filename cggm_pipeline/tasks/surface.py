"""The 95 % Hausdorff distance of masks, on the host, by distance transforms of scipy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

ONE_EMPTY = 373.12866
"""Where one mask is empty and the other is not: the diagonal of 240 x 240 x 155 voxels of 1 mm, as the BraTS benchmark
counts it, whatever the size of the data."""


def hausdorff95(predicted: Mask, true: Mask) -> float:
    """The larger one of both directions' 95th percentiles of the distance from surface to surface.

    Masks of one shape, two or three axes; distances in voxels, which for BraTS are millimetres. Surface: voxels of the
    mask with a neighbour (along an axis) outside it; what lies beyond the array is outside. Two empty masks: 0.
    """
    if not predicted.any() or not true.any():
        return 0.0 if predicted.any() == true.any() else ONE_EMPTY
    box = _box(predicted | true)
    surfaces = [_surface(mask[box]) for mask in (predicted, true)]
    return max(_directed(*surfaces), _directed(*surfaces[::-1]))


def _box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds everything of the mask."""
    spans = []
    for axis in range(mask.ndim):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        spans.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(spans)


def _surface(mask: Mask) -> Mask:
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask))


def _directed(start: Mask, end: Mask) -> float:
    """The 95th percentile, linearly interpolated, of the distances from voxels of `start` to the nearest of `end`."""
    from scipy.ndimage import distance_transform_edt

    return float(np.percentile(distance_transform_edt(~end)[start], 95))
