"""Images to one size."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.data.transforms.base import FrontEnd, Transform
from cggm_pipeline.errors import DataError


class Resize(Transform):
    """Images (B, C, h, w) to (B, C, H, W) with `size` = (H, W), bilinear with antialiasing.

    As the first transform it also takes images that vary in size, one by one.
    """

    def __init__(self, *, size: tuple[int, int]) -> None:
        self.size = (int(size[0]), int(size[1]))

    def __call__(self, values: Tensor, mask: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if values.ndim != 4:
            raise DataError(f"resize needs images (B, C, H, W), not shape {tuple(values.shape)}")
        return F.interpolate(values, self.size, mode="bilinear", antialias=True, align_corners=False)

    def front_end(self) -> FrontEnd:
        return _OneByOne(self)


class _OneByOne(FrontEnd):
    """An image (C, h, w) of any size to (C, H, W) float32."""

    stacks: ClassVar[bool] = True

    def __init__(self, resize: Resize) -> None:
        self.resize = resize

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        resized: np.ndarray = self.resize(torch.from_numpy(sample)[None].float(), None, None)[0].numpy()
        return resized
