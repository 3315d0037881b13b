"""Encoders: one modality's input to features. The room with the implementations is `cggm_pipeline.encoders`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Rate

Activation = Literal["relu", "gelu", "tanh", "silu"]


Shape = tuple[int | None, ...]
"""One sample's shape: (D), (T, D) or (C, H, W); null where a size varies."""


class EncoderSpec(Kind):
    """An encoder. `ranks`: the input ranks (without the batch axis) it reads; `layout`: the form of its features."""

    ranks: ClassVar[frozenset[int]] = frozenset({1, 2, 3})

    @property
    def layout(self) -> Layout:
        """The form of the features."""
        return "vector"

    @property
    def features_width(self) -> int | None:
        """The width of the features; null where only the built network knows it."""
        return None

    def fixed(self, shape: Shape) -> Shape:
        """Those sizes of a sample that the encoder needs to know: by default the channels, or the last axis."""
        return shape[:1] if len(shape) == 3 else shape[-1:]


class MLP(EncoderSpec):
    """A multi-layer perceptron over the flattened input; features (B, hidden[-1])."""

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (64, 64)
    activation: Activation = "relu"
    dropout: Rate = 0.0
    batch_norm: bool = False

    @property
    def features_width(self) -> int | None:
        return self.hidden[-1]

    def fixed(self, shape: Shape) -> Shape:
        return shape


class Conv(EncoderSpec):
    """Convolutions with stride-2 pooling between them: 2-D over images (C, H, W), 1-D over sequences (T, D)."""

    ranks: ClassVar[frozenset[int]] = frozenset({2, 3})

    kind: Literal["conv"]
    channels: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (16, 32)
    kernel: Annotated[int, Field(ge=1, le=31)] = 3
    activation: Activation = "relu"
    dropout: Rate = 0.0
    batch_norm: bool = True
    output: Literal["vector", "pyramid"] = "vector"

    @property
    def layout(self) -> Layout:
        return self.output

    @property
    def features_width(self) -> int | None:
        return self.channels[-1] if self.output == "vector" else None


class Transformer(EncoderSpec):
    """The sequence Transformer of MulT and CGGM: a linear projection, sinusoidal positions, pre-norm blocks."""

    source: ClassVar[str] = "Vaswani et al. 2017; Tsai et al. 2019 (MulT); Guo et al. 2024 (CGGM), section 4"
    ranks: ClassVar[frozenset[int]] = frozenset({2})

    kind: Literal["transformer"]
    width: Count = 40
    heads: Count = 5
    layers: Count = 4
    attention_dropout: Rate = 0.1
    relu_dropout: Rate = 0.1
    residual_dropout: Rate = 0.1
    embedding_dropout: Rate = 0.0
    output: Literal["tokens", "first", "mean"] = "tokens"

    @property
    def layout(self) -> Layout:
        return "tokens" if self.output == "tokens" else "vector"

    @property
    def features_width(self) -> int | None:
        return self.width


class Timm(EncoderSpec):
    """Any timm model as an encoder, with any number of input channels.

    `pretrained`: false for random weights, true for the hub weights of `model`, or a path to a local weight file
    (safetensors, or a torch file that loads with weights_only).
    """

    source: ClassVar[str] = "PyTorch Image Models (Wightman 2019)"
    ranks: ClassVar[frozenset[int]] = frozenset({3})

    kind: Literal["timm"]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    pretrained: bool | str = False
    output: Literal["vector", "tokens", "pyramid"] = "vector"
    drop_rate: Rate = 0.0
    drop_path_rate: Rate = 0.0
    freeze: bool = False

    @property
    def layout(self) -> Layout:
        return self.output


class Custom(EncoderSpec):
    """An encoder of one's own: `path: my_pkg.module:Class`, from a module prefix allow-listed in pyproject.toml.

    The class is built as `Class(shape, **options)` and must keep the promises of `cggm_pipeline.encoders.Encoder`.
    """

    kind: Literal["custom"]
    path: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    output: Literal["vector", "tokens", "pyramid"] = "vector"
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.output


Encoder = Annotated[MLP | Conv | Transformer | Timm | Custom, Field(discriminator="kind")]
