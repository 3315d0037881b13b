"""Cut-out samples."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from cggm_pipeline.data.augmentations.base import Augmentation, Images
from cggm_pipeline.errors import DataError


class Crop(Augmentation):
    """Cut `size` = (h, w) out of all images of a sample and its mask, at one random place, or in the middle.

    The place is uniform over all that fit, drawn per sample. In the middle, an odd rest lies below and to the right.
    """

    def __init__(self, *, size: tuple[int, int], at: Literal["random", "middle"] = "random") -> None:
        self.size = (int(size[0]), int(size[1]))
        self.at = at

    def __call__(
        self, images: Images, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        stacks = [*images.values(), *(() if mask is None else (mask.unsqueeze(1),))]
        top, left = self._corners(stacks, generator)
        cut = [_cut(values, top, left, self.size) for values in stacks]
        return dict(zip(images, cut, strict=False)), None if mask is None else cut[-1].squeeze(1)

    def _corners(self, stacks: list[Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Row and column of the first pixel of every sample, (B,) int64 each."""
        sizes = {tuple(values.shape[-2:]) for values in stacks}
        if len(sizes) != 1:
            raise DataError(f"crop: images and masks of one sample differ in size: {sorted(sizes)}; resize them to one")
        room = [have - want for have, want in zip(sizes.pop(), self.size, strict=True)]
        if min(room) < 0:
            raise DataError(f"crop: {self.size} does not fit into images of {tuple(stacks[0].shape[-2:])}")
        number, device = len(stacks[0]), stacks[0].device
        if self.at == "middle":
            top, left = (torch.full((number,), rest // 2, device=device) for rest in room)
        else:
            top, left = (torch.randint(0, rest + 1, (number,), generator=generator, device=device) for rest in room)
        return top, left


def _cut(values: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) to (B, C, h, w), each sample from its own corner."""
    rows = top.view(-1, 1, 1) + torch.arange(size[0], device=values.device).view(1, -1, 1)
    columns = left.view(-1, 1, 1) + torch.arange(size[1], device=values.device).view(1, 1, -1)
    where = (rows * values.shape[-1] + columns).view(len(values), 1, -1).expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, where).view(*values.shape[:2], *size)
