"""Encoders: one modality's input to features. The room with the implementations is `cggm_pipeline.encoders`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, HubName, Kind, Layout, Rate, RelativePath

Activation = Literal["relu", "gelu", "tanh", "silu"]


Shape = tuple[int | None, ...]
"""One sample's shape: (D), (T, D) or (C, H, W); null where a size varies."""


class EncoderSpec(Kind):
    """An encoder. `ranks`: the input ranks (without the batch axis) it reads; `layout`: the form of its features.

    `reads_ids`: its input are token ids, not numbers. `trunk`: whether it can be a row of Transformer blocks.
    """

    ranks: ClassVar[frozenset[int]] = frozenset({1, 2, 3})
    reads_ids: ClassVar[bool] = False
    trunk: ClassVar[bool] = False

    @property
    def layout(self) -> Layout:
        """The form of the features."""
        return "vector"

    @property
    def features_width(self) -> int | None:
        """The width of the features; null where only the built network knows it."""
        return None

    def files(self) -> tuple[str, ...]:
        """What it may read in the project besides data: weights. A name of a hub counts only where it is a path."""
        return ()

    def ids(self) -> int | None:
        """How many token ids it knows, 0 .. n - 1; null where it reads none, or only its files know."""
        return None

    def fixed(self, shape: Shape) -> Shape:
        """Those sizes of a sample that the encoder needs to know: by default the channels, or the last axis."""
        return shape[:1] if len(shape) == 3 else shape[-1:]


class MLP(EncoderSpec):
    """A multi-layer perceptron over the flattened input; features (B, hidden[-1])."""

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = Field(
        (64, 64), description="the width of each layer; the last is the features'"
    )
    activation: Activation = Field("relu", description="after each layer")
    dropout: Rate = Field(0.0, description="after each activation")
    batch_norm: bool = Field(False, description="batch normalisation before each activation")

    @property
    def features_width(self) -> int | None:
        return self.hidden[-1]

    def fixed(self, shape: Shape) -> Shape:
        return shape


class Conv(EncoderSpec):
    """Convolutions with stride-2 pooling between them: 2-D over images (C, H, W), 1-D over sequences (T, D)."""

    ranks: ClassVar[frozenset[int]] = frozenset({2, 3})

    kind: Literal["conv"]
    channels: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = Field(
        (16, 32), description="one convolution per entry, halved by max-pooling between them"
    )
    kernel: Annotated[int, Field(ge=1, le=31)] = Field(3, description="side of the convolutions, in pixels or steps")
    activation: Activation = Field("relu", description="after each convolution")
    dropout: Rate = Field(0.0, description="of whole channels, after each activation")
    batch_norm: bool = Field(True, description="batch normalisation before each activation")
    output: Literal["vector", "pyramid"] = Field(
        "vector",
        description="vector: the mean over space or time; pyramid: every stage's map, finest first (images only)",
    )

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
    trunk: ClassVar[bool] = True

    kind: Literal["transformer"]
    width: Count = Field(40, description="of the tokens; a multiple of heads")
    heads: Count = Field(5, description="of the attention")
    layers: Count = Field(4, description="number of blocks")
    attention_dropout: Rate = Field(0.1, description="of attention weights")
    relu_dropout: Rate = Field(0.1, description="of the hidden layer in each block")
    residual_dropout: Rate = Field(0.1, description="of what each block adds")
    embedding_dropout: Rate = Field(0.0, description="of the input tokens")
    output: Literal["tokens", "first", "mean"] = Field(
        "tokens", description="all tokens, the first one, or their mean over unpadded time"
    )

    @property
    def layout(self) -> Layout:
        return "tokens" if self.output == "tokens" else "vector"

    @property
    def features_width(self) -> int | None:
        return self.width


class Projection(EncoderSpec):
    """One convolution over time to tokens, the temporal projection in front of MulT; padded steps are zeros."""

    source: ClassVar[str] = "Tsai et al., ACL 2019 (MulT), section 3.2: temporal convolutions"
    equation: ClassVar[str] = "x_m = conv_m(drop(input)) over time, of the same length"
    ranks: ClassVar[frozenset[int]] = frozenset({2})

    kind: Literal["projection"]
    width: Count = Field(30, description="of the tokens")
    kernel: Annotated[int, Field(ge=1, le=31)] = Field(1, description="of the convolution, in time steps")
    bias: bool = Field(True, description="of the convolution; false in MulT's code")
    dropout: Rate = Field(0.0, description="of the input; 0.25 for the text in MulT's code")
    output: Literal["tokens", "mean"] = Field("tokens", description="all tokens, or their mean over unpadded time")

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
    trunk: ClassVar[bool] = True

    kind: Literal["timm"]
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="a name of timm.list_models(); checked by `cggm validate --build`"
    )
    pretrained: bool | RelativePath = Field(
        False, description="false, true for the hub's weights, or a weight file inside the project"
    )
    output: Literal["vector", "tokens", "pyramid"] = Field(
        "vector", description="vector: pooled; tokens: the last feature map; pyramid: every stage's map, finest first"
    )
    drop_rate: Rate = Field(0.0, description="dropout before the end, where the model has it")
    drop_path_rate: Rate = Field(0.0, description="stochastic depth, where the model has it")
    freeze: bool = Field(False, description="train no parameter of it; it stays in evaluation mode")

    @property
    def layout(self) -> Layout:
        return self.output

    def files(self) -> tuple[str, ...]:
        return (self.pretrained,) if isinstance(self.pretrained, str) else ()


class SMP(EncoderSpec):
    """An encoder of segmentation-models-pytorch as a pyramid, finest first; with ASPP over its last map if asked.

    The maps are the image itself and one per halving. `weights`: null (random), a name that smp knows for the model
    (imagenet; for tu- models the weights of the model's tag), or a weight file inside the project.
    """

    source: ClassVar[str] = "segmentation_models_pytorch (Iakubovskii 2019); ASPP: Chen et al. 2018 (DeepLabv3+)"
    ranks: ClassVar[frozenset[int]] = frozenset({3})

    kind: Literal["smp"]
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="a name of smp.encoders.get_encoder_names(), or tu-NAME for a timm model; checked by --build"
    )
    depth: Annotated[int, Field(ge=3, le=5)] = Field(5, description="number of halvings")
    output_stride: Literal[8, 16, 32] = Field(32, description="of the coarsest map; below 32 by dilation")
    weights: RelativePath | None = Field(
        None, description="null, imagenet (or another of smp's names), or a weight file inside the project"
    )
    aspp: Count | None = Field(None, description="channels of the ASPP over the last map; null: none")
    atrous_rates: Annotated[tuple[Count, Count, Count], Field(strict=False)] = Field(
        (12, 24, 36), description="dilations of the three 3x3 convolutions of the ASPP"
    )
    aspp_dropout: Rate = Field(0.5, description="after the ASPP")

    @property
    def layout(self) -> Layout:
        return "pyramid"

    def files(self) -> tuple[str, ...]:
        return (self.weights,) if self.weights is not None else ()


class Text(EncoderSpec):
    """A language model of Hugging Face transformers over token ids (T); the transform `tokenise` makes them from text.

    `model`: a hub id, or a folder inside the project with config.json and model.safetensors. A model without local
    files is built from `width` alone for checks.
    """

    source: ClassVar[str] = "Hugging Face transformers (Wolf et al. 2020); BERT: Devlin et al. 2019"
    ranks: ClassVar[frozenset[int]] = frozenset({1})
    reads_ids: ClassVar[bool] = True
    trunk: ClassVar[bool] = True

    kind: Literal["text"]
    model: HubName = Field(description="a hub id (bert-base-uncased) or a folder inside the project")
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        None, description="commit of the hub's model; null: its newest. Part of a pinned protocol"
    )
    width: Count = Field(768, description="hidden size; checked against the model")
    pretrained: bool = Field(True, description="false: the model's architecture with random weights")
    output: Literal["tokens", "first", "mean"] = Field(
        "tokens", description="all last hidden states, the first one, or their mean over unpadded tokens"
    )
    freeze: bool = Field(False, description="train no parameter of it; it stays in evaluation mode")

    @property
    def layout(self) -> Layout:
        return "tokens" if self.output == "tokens" else "vector"

    @property
    def features_width(self) -> int | None:
        return self.width

    def fixed(self, shape: Shape) -> Shape:
        return ()

    def files(self) -> tuple[str, ...]:
        return (self.model,)


class Embedding(EncoderSpec):
    """A learned vector per token id; their mean over the tokens that are there, or all of them."""

    source: ClassVar[str] = "the bag of words of fastText, Joulin et al. 2017 (EACL)"
    equation: ClassVar[str] = "h = (1/T) sum_t E[id_t]"
    ranks: ClassVar[frozenset[int]] = frozenset({1})
    reads_ids: ClassVar[bool] = True

    kind: Literal["embedding"]
    vocabulary: Annotated[int, Field(ge=1, le=2**24)] = Field(4096, description="ids are 0 .. vocabulary - 1")
    width: Count = Field(64, description="of the vectors")
    dropout: Rate = Field(0.0, description="of the features")
    output: Literal["mean", "tokens"] = Field("mean", description="their mean over unpadded tokens, or all of them")

    @property
    def layout(self) -> Layout:
        return "tokens" if self.output == "tokens" else "vector"

    @property
    def features_width(self) -> int | None:
        return self.width

    def fixed(self, shape: Shape) -> Shape:
        return ()

    def ids(self) -> int | None:
        return self.vocabulary


class Custom(EncoderSpec):
    """An encoder of one's own: `path: my_pkg.module:Class`, from a module prefix allow-listed in pyproject.toml.

    The class is built as `Class(shape, **options)` and must keep the promises of `cggm_pipeline.encoders.Encoder`.
    """

    trunk: ClassVar[bool] = True

    kind: Literal["custom"]
    path: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] = Field(
        description="package.module:Class; pyproject.toml lists the package in [tool.cggm] custom"
    )
    output: Literal["vector", "tokens", "pyramid"] = Field("vector", description="the layout of the class's features")
    options: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the class")

    @property
    def layout(self) -> Layout:
        return self.output


Encoder = Annotated[
    MLP | Conv | Transformer | Projection | Timm | SMP | Text | Embedding | Custom, Field(discriminator="kind")
]
