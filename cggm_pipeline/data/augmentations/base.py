"""What every augmentation of whole samples promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

Images = Mapping[str, Tensor]


class Augmentation(ABC):
    """A random function on all images of a batch and on its masks: what moves a pixel moves its class along."""

    @abstractmethod
    def __call__(
        self, images: Images, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """New images and masks for `images`, (B, C, H, W) float32 by modality, and `mask`, (B, H, W); never in place.

        `mask` null: the target is none. Random numbers come from `generator`, which is on the images' device; it draws
        as often whatever the modalities are.
        """
