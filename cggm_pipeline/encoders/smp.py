"""Any encoder of segmentation-models-pytorch as a pyramid."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cggm_pipeline.encoders._weights import read_weights, weight_file
from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.encoders.timm import check_name, image_size
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input

UNIVERSAL = "tu-"
"""What smp puts before the name of a timm model."""


class SMP(Encoder):
    """Images (C, H, W) to `depth` + 1 maps, finest first: the first as large as the image, each next one half of it.

    The first map is the image itself (of VGG: its first stage), and models that begin with a quarter have a second map
    without channels: the form that smp's decoders read. From `output_stride` on maps stay as large, by dilation. With
    `aspp` the last map goes through atrous spatial pyramid pooling to as many channels (Chen et al. 2018).

    `weights`: null; a name that smp knows for the model (for tu- models imagenet: those of the model's tag); or a file
    below the working directory, safetensors or torch's with weights_only, as smp's or timm's hubs have them. The first
    convolution is adapted to C channels by their rules. On the meta device no weights are read. Below depth 5 smp's own
    models keep the stages that they do not run; tu- models have none.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        model: str,
        depth: int = 5,
        output_stride: int = 32,
        weights: str | None = None,
        aspp: int | None = None,
        atrous_rates: Sequence[int] = (12, 24, 36),
        aspp_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or shape[0] is None:
            raise BuildError(f"smp reads images (C, H, W) of fixed C, but the shape is {tuple(shape)}")
        _check_model(model)
        self.layout = "pyramid"
        options = {"depth": depth, "output_stride": output_stride}
        make = _universal if model.startswith(UNIVERSAL) else _native
        self.encoder: Any = make(model, shape[0], weights, {**options, **_size(model, shape)})
        widths = tuple(int(width) for width in self.encoder.out_channels)
        self.widths = widths if aspp is None else (*widths[:-1], aspp)
        self.aspp = nn.Identity() if aspp is None else _aspp(widths[-1], aspp, atrous_rates, aspp_dropout)

    def forward(self, x: Input) -> Features:
        maps: list[Tensor] = list(self.encoder(x.values.to(next(self.encoder.parameters()).dtype)))
        return Features([*maps[:-1], self.aspp(maps[-1])])


def _check_model(model: str) -> None:
    from segmentation_models_pytorch import encoders

    if model.startswith(UNIVERSAL):
        check_name(model.removeprefix(UNIVERSAL))
        return
    known = [name for name in encoders.get_encoder_names() if not name.startswith("timm-")]  # deprecated twins of tu-
    if model not in known:
        near = difflib.get_close_matches(model, known, n=3, cutoff=0.6)
        advice = f"did you mean {', '.join(repr(name) for name in near)}?" if near else "tu-NAME is any timm model"
        raise BuildError(f"model: smp has no '{model}'; {advice}")


def _size(model: str, shape: Shape) -> dict[str, Any]:
    return image_size(model.removeprefix(UNIVERSAL), shape) if model.startswith(UNIVERSAL) else {}


def _universal(model: str, channels: int, weights: str | None, options: dict[str, Any]) -> Any:
    """A timm model: timm itself reads its weights and adapts them."""
    if weights is None or weights == "imagenet":
        return _create(model, channels, options, weights is not None)
    path = weight_file("weights", weights, "write null, imagenet, or a weight file inside the project")
    if torch.get_default_device().type == "meta":
        return _create(model, channels, options, None)
    held = {name.replace("_", ".") for name in read_weights("weights", path)}
    encoder = _create(model, channels, {**options, "pretrained_cfg_overlay": {"file": str(path)}}, True)
    # where timm cuts a model into a pyramid, it passes over names that the file lacks
    lacking = [name for name in encoder.model.state_dict() if name.replace("_", ".") not in held]
    if lacking:
        raise BuildError(f"weights: {path.name} lacks '{lacking[0]}' of {model}, and {len(lacking) - 1} more")
    return encoder


def _native(model: str, channels: int, weights: str | None, options: dict[str, Any]) -> Any:
    """A model of smp's own."""
    from segmentation_models_pytorch.encoders import encoders

    known = encoders[model]["pretrained_settings"]
    if weights is None or weights in known:
        return _create(model, channels, options, weights)
    allowed = ", ".join(["null", *known, "or a weight file inside the project"])
    path = weight_file("weights", weights, f"allowed for {model}: {allowed}")
    if torch.get_default_device().type == "meta":
        return _create(model, channels, options, None)
    state = read_weights("weights", path)
    encoder = _create(model, 3, {**options, "output_stride": 32}, None)
    try:
        encoder.load_state_dict(state)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BuildError(f"weights: {path.name} does not fit {model} with 3 channels: {reason}") from error
    encoder.set_in_channels(channels, pretrained=True)
    if options["output_stride"] != 32:
        encoder.make_dilated(options["output_stride"])
    return encoder


def _create(model: str, channels: int, options: dict[str, Any], weights: str | bool | None) -> Any:
    try:
        return _made(model, channels, options, weights)
    except Exception as error:  # smp, timm and the hub raise anything at all, and the user needs the reason
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        told = {"in_channels": channels, **options, "weights": weights}
        shown = ", ".join(f"{name}={value}" for name, value in told.items() if name != "pretrained_cfg_overlay")
        raise BuildError(f"smp cannot make '{model}' with {shown}: {reason}") from error


def _made(model: str, channels: int, options: dict[str, Any], weights: str | bool | None) -> Any:
    from segmentation_models_pytorch.encoders import get_encoder

    device = torch.get_default_device()
    if device.type != "meta":
        return get_encoder(model, in_channels=channels, weights=weights or None, **options)
    try:
        made = get_encoder(model, in_channels=channels, **options)
    except RuntimeError:  # some constructors (mit) read a number back from a tensor
        with torch.device("cpu"):
            made = get_encoder(model, in_channels=channels, **options)
    return made.to(device)  # smp makes the first convolution on the CPU, whatever the default device is


def _aspp(width: int, channels: int, rates: Sequence[int], dropout: float) -> nn.Module:
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP

    made: nn.Module = ASPP(width, channels, tuple(rates), separable=False, dropout=dropout)
    return made
