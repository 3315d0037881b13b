"""Segmentation: a class for every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.tasks.base import Meter, Task, full_precision
from cggm_pipeline.tasks.cases import CaseMeter, case_lengths
from cggm_pipeline.tasks.losses.cross_entropy_dice import CrossEntropyDice
from cggm_pipeline.tasks.overlap import overlap, region_table, slice_dice
from cggm_pipeline.tasks.volumes import Volumes

Loss = Callable[[Tensor, Tensor], Tensor]

_CROSS_ENTROPY_DICE = CrossEntropyDice()


class Segmentation(Task):
    """Logits (B, C, h, w), target (B, H, W) class indices; class 0 is the background.

    Logits are made as large as the target by bilinear interpolation wherever the two meet. `regions`: unions of classes
    that Dice is measured of, by name (null: every foreground class, `class_1`, ...). The score is the Dice per slice,
    averaged over the mini-batch and the regions, as in CGGM's released code.
    """

    criterion = ("dice", "max")

    def __init__(
        self,
        out_features: int,
        *,
        loss: Loss = _CROSS_ENTROPY_DICE,
        regions: Mapping[str, Sequence[int]] | None = None,
        hd95: bool = True,
    ) -> None:
        self.out_features = out_features
        self.regions = dict(regions or {f"class_{index}": (index,) for index in range(1, out_features)})
        self._loss, self._hd95 = loss, hd95
        self._table = region_table(self.regions, out_features)
        suffixes = ["", *(f"_{region}" for region in self.regions)]
        names = [f"{metric}{suffix}" for metric in ("dice", "slice_dice") for suffix in suffixes]
        self.higher_is_better = dict.fromkeys(names, True)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return self._loss(enlarged(full_precision(logits), target.shape[-2:]), target.long())

    @torch.no_grad()
    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        return slice_dice(self.sizes(self.classes(logits, target.shape[-2:]), target)).mean()

    @torch.no_grad()
    def predict(self, logits: Tensor) -> Tensor:
        """Class probabilities (B, C, h, w), as large as the logits (`enlarged` makes those as large as a mask)."""
        return logits.detach().softmax(1)

    def label(self, prediction: Tensor) -> Tensor:
        """The most probable class of every pixel, (B, h, w) int64."""
        return prediction.max(1).indices

    @torch.no_grad()
    def classes(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """The most probable class of every pixel, (B, H, W) int64."""
        return enlarged(full_precision(logits), size).max(1).indices  # argmax of maps takes the CPU 30 times as long

    def sizes(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Pixels of every region: see `overlap`. (B, R, 3) int64 on the device of the masks."""
        if self._table.device != predicted.device:
            self._table = self._table.to(predicted.device)  # once, at the first batch
        return overlap(predicted, target, self._table)

    def metrics(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """Dice per case and per slice of every region, and their means; each sample is a case of its own."""
        meter = self.meter()
        meter.add(logits, target)
        return {name: value for name, value in meter.result().items() if name != "loss"}

    def meter(self, groups: Sequence[str] | None = None, *, full: bool = False) -> Meter:
        """Counts while it streams; `full` adds the HD95 of every region, if the task asks for it."""
        lengths = None if groups is None else case_lengths(groups)
        volumes = Volumes(lengths, self.regions) if full and self._hd95 else None
        return CaseMeter(self.loss, self.classes, self.sizes, list(self.regions), lengths, volumes)


def enlarged(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Logits (B, C, h, w) as (B, C, H, W), bilinear between pixel centres (align_corners=False)."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)
