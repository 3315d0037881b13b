"""HD95 of cases, computed on the host while their slices go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cggm_pipeline.tasks.surface import hausdorff95


class Volumes:
    """HD95 of every region of every case, computed when its last slice has come; nothing of a case is kept after it.

    `lengths`: slices per case, in order (null: one each, measured in the plane). A case of one slice is measured in
    the plane too, because a volume of it would be all surface.
    """

    def __init__(self, lengths: Sequence[int] | None, regions: Mapping[str, Sequence[int]]) -> None:
        self._lengths = lengths
        self._regions = {name: np.array(members, np.uint8) for name, members in regions.items()}
        self._found: dict[str, list[float]] = {name: [] for name in regions}
        self._waiting: list[np.ndarray] = []
        self._number = 0

    def add(self, predicted: Tensor, target: Tensor) -> None:
        """The next slices, class indices (B, H, W) on any device."""
        for pair in torch.stack([predicted.to(torch.uint8), target.to(torch.uint8)], 1).cpu().numpy():
            self._waiting.append(pair)
            if self._lengths is None or len(self._waiting) == self._lengths[self._number]:
                self._measure()

    def _measure(self) -> None:
        masks = self._waiting[0] if len(self._waiting) == 1 else np.stack(self._waiting, 1)
        for name, members in self._regions.items():
            self._found[name].append(hausdorff95(*np.isin(masks, members)))
        self._waiting, self._number = [], self._number + 1

    def found(self) -> dict[str, np.ndarray]:
        """`hd95_REGION` of every case, float64 (cases,), in order."""
        return {f"hd95_{name}": np.array(values) for name, values in self._found.items()}
