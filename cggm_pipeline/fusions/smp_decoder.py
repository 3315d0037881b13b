"""The decoders of segmentation-models-pytorch over the pyramids of all modalities."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from segmentation_models_pytorch.base.initialization import initialize_decoder
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.base import Fusion, joined, level_widths
from cggm_pipeline.layers.features import Features, Layout

CHANNELS = (256, 128, 64, 32, 16)
"""Of smp's blocks, coarsest first; a pyramid of fewer maps takes the last ones."""


DOUBLING = frozenset({"unetplusplus", "fpn"})
"""Decoders that double a map and join it to the next finer one as it is."""


class SMPDecoder(Fusion):
    """z = decoder([x_1 .. x_M] of every level): a decoder of smp with its own initialisation.

    Pyramids as smp's encoders give them: the first map as large as the image, each next one half of it (unetplusplus
    and fpn need exactly that: images that can be halved that often, and encoders without dilation). z is as large as
    the image for unet and unetplusplus, a quarter otherwise. `channels` (of each block, coarsest first), `width` (of z)
    and `dropout` are the decoder's own where None; one that the decoder does not have is a BuildError. Unlike smp's
    models this has no special case for VGG.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"pyramid"})
    dense: ClassVar[bool] = True

    def __init__(
        self,
        widths: Mapping[str, tuple[int, ...]],
        *,
        decoder: Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "segformer"],
        channels: Sequence[int] | None = None,
        width: int | None = None,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        given = {"channels": channels, "width": width, "dropout": dropout}
        given = {name: value for name, value in given.items() if value is not None}
        build = DECODERS[decoder]
        taken = list(inspect.signature(build).parameters)[1:]
        for name in given:
            if name not in taken:
                raise BuildError(f"{name}: {decoder} has no such option (it has: {', '.join(taken)})")
        levels = level_widths(widths)
        if len(levels) < 4:
            raise BuildError(f"smp's decoders need at least 4 maps, but the pyramids have {len(levels)}")
        self.depth = len(levels) - 1
        self.doubling = decoder if decoder in DOUBLING else ""
        self.decoder, self.width = build(levels, **given)
        initialize_decoder(self.decoder)

    def forward(self, features: Mapping[str, Features]) -> Features:
        levels = [joined(features, level) for level in range(self.depth + 1)]
        if self.doubling:
            _check_halves(self.doubling, levels)
        return Features(self.decoder(levels))


def _check_halves(decoder: str, levels: Sequence[Tensor]) -> None:
    """That each map is half of the one before."""
    sizes = [tuple(level.shape[2:]) for level in levels]
    for fine, coarse in pairwise(sizes[1:]):
        if fine != (2 * coarse[0], 2 * coarse[1]):
            raise BuildError(
                f"decoder: {decoder} doubles each map, but after {fine} comes {coarse}; give it images that can be "
                f"halved {len(levels) - 1} times and encoders of output_stride 32, or take unet or segformer"
            )


def _unet(levels: list[int], channels: Sequence[int] | None = None) -> tuple[nn.Module, int]:
    channels = _blocks(levels, channels)
    return UnetDecoder(levels, channels, n_blocks=len(channels)), channels[-1]


def _unetplusplus(levels: list[int], channels: Sequence[int] | None = None) -> tuple[nn.Module, int]:
    channels = _blocks(levels, channels)
    return UnetPlusPlusDecoder(levels, channels, n_blocks=len(channels)), channels[-1]


def _blocks(levels: list[int], channels: Sequence[int] | None) -> list[int]:
    depth = len(levels) - 1
    if channels is not None and len(channels) != depth:
        raise BuildError(f"channels: {len(channels)} numbers for {depth} blocks; write one per block, coarsest first")
    if channels is None and depth > len(CHANNELS):
        raise BuildError(f"channels: write them out, smp has defaults for 5 blocks and this decoder has {depth}")
    return list(channels or CHANNELS[-depth:])


def _fpn(levels: list[int], width: int = 128, dropout: float = 0.2) -> tuple[nn.Module, int]:
    if width % 32:
        raise BuildError(f"width: fpn normalises 32 groups of channels, and {width} is no multiple of 32")
    if 0 in levels[-4:]:
        raise BuildError("decoder: fpn adds up the last 4 maps, and one of them has no channels; use depth: 5")
    made = FPNDecoder(levels, len(levels) - 1, segmentation_channels=width, dropout=dropout)
    return made, width


class _DeepLabV3Plus(DeepLabV3PlusDecoder):  # type: ignore[misc]  # smp has no types
    """smp's decoder, upsampling to the size of the low-level maps rather than by a factor: for any output stride."""

    def forward(self, features: list[Tensor]) -> Tensor:
        low = self.block1(features[2])
        coarsest = F.interpolate(self.aspp(features[-1]), size=low.shape[2:], mode="bilinear", align_corners=True)
        fused: Tensor = self.block2(torch.cat([coarsest, low], dim=1))
        return fused


def _deeplabv3plus(levels: list[int], width: int = 256, dropout: float = 0.5) -> tuple[nn.Module, int]:
    rates: Any = (12, 24, 36)
    made = _DeepLabV3Plus(levels, 5, width, rates, output_stride=16, aspp_separable=True, aspp_dropout=dropout)
    return made, width


def _segformer(levels: list[int], width: int = 256) -> tuple[nn.Module, int]:
    return SegformerDecoder(levels, len(levels) - 1, segmentation_channels=width), width


DECODERS: Mapping[str, Callable[..., tuple[nn.Module, int]]] = {
    "unet": _unet,
    "unetplusplus": _unetplusplus,
    "fpn": _fpn,
    "deeplabv3plus": _deeplabv3plus,
    "segformer": _segformer,
}
"""Each from the channels of every level, and those options that it has, to the decoder and its z's channels."""
