"""Any timm model as an encoder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.encoders._trunk import before
from cggm_pipeline.encoders._weights import weight_file
from cggm_pipeline.encoders.base import Encoder, Shape, Underway
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input


class Timm(Encoder):
    """A timm model over images (C, H, W) with any number of channels.

    `output`: "vector" the pooled features before timm's classifier (B, D); "tokens" the last feature map as (B, T, D),
    class and register tokens included; "pyramid" every stage's map, finest first. `pretrained`: false, true (the hub
    weights of `model`), or a weight file below the working directory: safetensors, or a torch file that loads with
    weights_only. Its input layer is adapted to C channels by timm's rule. On the meta device no weights are read.
    A frozen encoder has no trainable parameter and stays in evaluation mode.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        model: str,
        pretrained: bool | str = False,
        output: Literal["vector", "tokens", "pyramid"] = "vector",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or shape[0] is None:
            raise BuildError(f"timm reads images (C, H, W) of fixed C, but the shape is {tuple(shape)}")
        check_name(model)
        self.layout = output
        self.freeze = freeze
        options = {"in_chans": shape[0], **image_size(model, shape), **_weights(pretrained)}
        options |= {"drop_rate": drop_rate} if drop_rate else {}
        options |= {"drop_path_rate": drop_path_rate} if drop_path_rate else {}
        options |= {"features_only": True} if output == "pyramid" else {"num_classes": 0}
        self.model: Any = _create(model, options)
        self.channels_last = getattr(self.model, "output_fmt", "NCHW") == "NHWC"
        self.widths = self._widths()
        if freeze:
            self.requires_grad_(False)

    def _widths(self) -> tuple[int, ...]:
        if self.layout == "pyramid":
            return tuple(self.model.feature_info.channels())
        if self.layout == "tokens":
            return (int(self.model.num_features),)
        return (int(getattr(self.model, "head_hidden_size", None) or self.model.num_features),)

    def train(self, mode: bool = True) -> Timm:
        super().train(mode and not self.freeze)
        return self

    @property
    def trunk(self) -> Sequence[nn.Module]:
        """The blocks of a vision Transformer whose forward pass is timm's plain one."""
        from timm.models.vision_transformer import VisionTransformer

        plain = getattr(type(self.model), "forward_features", None) is VisionTransformer.forward_features
        return tuple(self.model.blocks) if plain else ()

    def enter(self, x: Input) -> Underway:
        return before(self.model.blocks[0], lambda: self.model.forward_features(self._images(x)))

    def leave(self, tokens: Tensor, x: Input) -> Features:
        return self._features(self.model.norm(tokens))

    def forward(self, x: Input) -> Features:
        images = self._images(x)
        if self.layout == "pyramid":
            return Features([self._channels_first(values) for values in self.model(images)])
        return self._features(self.model.forward_features(images))

    def _images(self, x: Input) -> Tensor:
        return x.values.to(next(self.model.parameters()).dtype)

    def _features(self, features: Tensor) -> Features:
        if self.layout == "tokens":
            return Features(self._tokens(features))
        return Features(self.model.forward_head(features, pre_logits=True))

    def _channels_first(self, values: Tensor) -> Tensor:
        return values.permute(0, 3, 1, 2) if self.channels_last else values

    def _tokens(self, features: Tensor) -> Tensor:
        if features.dim() == 4:
            return self._channels_first(features).flatten(2).transpose(1, 2)
        return features


def _create(model: str, options: dict[str, Any]) -> nn.Module:
    import timm  # 2.3 s: only where a spec names it

    try:
        created: nn.Module = timm.create_model(model, **options)
    except Exception as error:  # timm and its hub raise anything at all, and the user needs the reason
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BuildError(f"timm cannot make '{model}' with {_told(options)}: {reason}") from error
    return created


def _told(options: dict[str, Any]) -> str:
    overlay = options.get("pretrained_cfg_overlay", {})
    shown = {name: value for name, value in options.items() if name != "pretrained_cfg_overlay"}
    shown |= {"weights": Path(overlay["file"]).name} if overlay else {}
    return ", ".join(f"{name}={value}" for name, value in shown.items())


def check_name(model: str) -> None:
    """A BuildError with the nearest names where timm has no such model, or no such weights of it."""
    import timm

    base, _, tag = model.partition(".")
    known = timm.list_models(include_tags=False)
    if base not in known:
        near = difflib.get_close_matches(base, known, n=3, cutoff=0.6)
        advice = f"did you mean {', '.join(repr(name) for name in near)}?" if near else "timm.list_models() lists all"
        raise BuildError(f"model: timm has no '{base}'; {advice}")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        allowed = ", ".join(f"{base}.{known_tag}" for known_tag in tags) or f"{base} alone"
        raise BuildError(f"model: timm has no weights '{tag}' of {base} (allowed: {allowed})")


def image_size(model: str, shape: Shape) -> dict[str, tuple[int, int]]:
    """`img_size` for the models of timm that are built for one size of image."""
    from timm.models import get_pretrained_cfg

    _, height, width = shape
    if height is None or width is None:
        return {}
    config = get_pretrained_cfg(model, allow_unregistered=True)
    return {"img_size": (height, width)} if config is not None and config.fixed_input_size else {}


def _weights(pretrained: bool | str) -> dict[str, Any]:
    if isinstance(pretrained, str):
        path = weight_file("pretrained", pretrained, "use false, true (hub weights) or a weight file")
        chosen = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}
    else:
        chosen = {"pretrained": pretrained}
    return {} if torch.get_default_device().type == "meta" else chosen
