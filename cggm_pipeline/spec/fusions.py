"""Fusions: the features of all modalities to one representation z, which one linear head reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Positive, Rate, Slug
from cggm_pipeline.spec.encoders import Activation


class FusionSpec(Kind):
    """A fusion. `accepts` are the feature layouts it can take, `layout` is the form of z.

    `equal_widths`: whether the features of all modalities must be equally wide. `tasks`: the only task kinds (null:
    every one that reads this form of z).
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})
    layout: ClassVar[Layout] = "vector"
    equal_widths: ClassVar[bool] = False
    min_modalities: ClassVar[int] = 1
    tasks: ClassVar[frozenset[str] | None] = None

    def concatenates(self) -> bool:
        """Whether z is a concatenation of the features, so that the head has a block for each modality."""
        return False


class Concat(FusionSpec):
    """Features side by side, sorted by modality name. With a `width` a linear layer and an activation follow.

    `residual` adds z <- z + W2 drop(relu(W1 z)) behind them, as the sequence networks of MulT have it.
    """

    equation: ClassVar[str] = "z = [h_1 .. h_M]   or   z = act(P [h_1 .. h_M] + c)"

    kind: Literal["concat"]
    width: Count | None = Field(None, description="z's width behind a linear layer; null: the features as they are")
    activation: Activation = Field("relu", description="after the linear layer")
    dropout: Rate = Field(0.0, description="after the activation, and in the residual block")
    residual: bool = Field(False, description="a residual block behind the linear layer; needs a width")

    def concatenates(self) -> bool:
        return self.width is None


class Sum(FusionSpec):
    """One linear projection per modality, added up."""

    equation: ClassVar[str] = "z = sum_m (P_m h_m + c_m)"

    kind: Literal["sum"]
    width: Count = Field(64, description="of z")


class Gated(FusionSpec):
    """Gated multimodal units: per modality a tanh projection, weighted by gates that read all modalities."""

    source: ClassVar[str] = "Arevalo et al. 2017, section 3.1"
    equation: ClassVar[str] = "z = sum_m sigmoid(G_m [h_1 .. h_M]) * tanh(P_m h_m)"

    kind: Literal["gated"]
    width: Count = Field(64, description="of z")


class Film(FusionSpec):
    """One modality modulates the sum of the others by a feature-wise affine map."""

    source: ClassVar[str] = "Perez et al. 2018 (FiLM)"
    equation: ClassVar[str] = "z = gamma(h_c) * sum_m P_m h_m + beta(h_c)"
    min_modalities: ClassVar[int] = 2

    kind: Literal["film"]
    condition: Slug = Field(description="the modality that modulates the others")
    width: Count = Field(64, description="of z")


class Transformer(FusionSpec):
    """Tokens of all modalities in one sequence, a Transformer over it, the first token, a residual block (as CGGM)."""

    source: ClassVar[str] = "Guo et al. 2024 (CGGM), section 4"
    accepts: ClassVar[frozenset[Layout]] = frozenset({"tokens", "vector"})
    equal_widths: ClassVar[bool] = True

    kind: Literal["transformer"]
    heads: Count = Field(5, description="of the attention; divides the features' width")
    layers: Count = Field(2, description="number of blocks")
    attention_dropout: Rate = Field(0.1, description="of attention weights")
    relu_dropout: Rate = Field(0.1, description="of the hidden layer in each block")
    residual_dropout: Rate = Field(0.1, description="of what each block adds")
    embedding_dropout: Rate = Field(0.0, description="of the joined tokens")
    output_dropout: Rate = Field(0.1, description="inside the residual block at the end")


class MulT(FusionSpec):
    """The Multimodal Transformer: every modality reads every other one, then remembers what it has read.

    For each modality m a cross-modal Transformer per other modality, whose queries are m's tokens; their results side
    by side through a memory Transformer, and its last token that is no padding; a residual block over all of them.
    """

    source: ClassVar[str] = "Tsai et al., ACL 2019 (MulT), section 3"
    equation: ClassVar[str] = (
        "h_m = last(memory_m([cross_{m<-j}(x_m, x_j) for j != m])),  h = [h_1 .. h_M],  z = h + W2 drop(relu(W1 h))"
    )
    accepts: ClassVar[frozenset[Layout]] = frozenset({"tokens"})
    equal_widths: ClassVar[bool] = True

    kind: Literal["mult"]
    heads: Count = Field(5, description="of the attention; divides the features' width")
    layers: Count = Field(5, description="number of blocks of each cross-modal Transformer")
    memory_layers: Count = Field(5, description="number of blocks of each memory Transformer, M - 1 times as wide")
    attention_dropout: Rate = Field(0.1, description="of attention weights")
    relu_dropout: Rate = Field(0.1, description="of the hidden layer in each block")
    residual_dropout: Rate = Field(0.1, description="of what each block adds")
    embedding_dropout: Rate = Field(0.0, description="of the tokens that each Transformer reads")
    output_dropout: Rate = Field(0.1, description="inside the residual block at the end")
    causal: bool = Field(
        False, description="no token sees later ones, in its own modality or another; true in the authors' code"
    )


class LowRank(FusionSpec):
    """Low-rank multimodal fusion: the tensor product of all modalities, CP-factorised."""

    source: ClassVar[str] = "Liu et al. 2018 (LMF), equation 6"
    equation: ClassVar[str] = "z = sum_r w_r prod_m (F_m^r [h_m; 1]) + c"

    kind: Literal["low_rank"]
    width: Count = Field(64, description="of z")
    rank: Count = Field(4, description="number of rank-one terms r")


class Late(FusionSpec):
    """The mean of one linear classifier per modality: z = [h_1 .. h_M] / M, read by W = [W_1 .. W_M]."""

    equation: ClassVar[str] = "logits = (1/M) sum_m W_m h_m + b"

    kind: Literal["late"]

    def concatenates(self) -> bool:
        return True


class Mean(FusionSpec):
    """The mean of equally wide features: one head for every modality and for any subset of them."""

    source: ClassVar[str] = "Zhang et al., CVPR 2024 (MLA): the shared head"
    equation: ClassVar[str] = "z = mean_m h_m, so that logits = mean_m (W h_m + b)"
    equal_widths: ClassVar[bool] = True

    kind: Literal["mean"]


class MMTM(FusionSpec):
    """The multimodal transfer module: each modality's features are gated by what all modalities say together.

    One module behind the encoders; the paper has one behind each of the later convolutional stages.
    """

    source: ClassVar[str] = "Joze et al., CVPR 2020 (MMTM)"
    equation: ClassVar[str] = (
        "z = [g_1 * h_1 .. g_M * h_M] / M,  g_m = 2 sigmoid(E_m e),  e = relu(S [h_1 .. h_M])\n"
        "logits = mean_m (W_m (g_m * h_m) + b)"
    )
    min_modalities: ClassVar[int] = 2

    kind: Literal["mmtm"]
    ratio: Annotated[float, Field(ge=0.5, le=1000)] = Field(
        4.0, description="e is 2 D / ratio wide, D: all features together"
    )


class MMCosine(FusionSpec):
    """Every modality's features, and its block of the head's rows, at unit length: logits are sums of cosines.

    The head has no bias and is part of the fusion: its weight is normalised row by row within each modality's block.
    """

    source: ClassVar[str] = "Xu et al., ICASSP 2023 (arXiv 2303.05338)"
    equation: ClassVar[str] = "logits = s sum_m cos(W_m, h_m),  z = [h_1/|h_1| .. h_M/|h_M|]"
    known: ClassVar[str] = "in the released code it is no part of the network: docs/paper-vs-code.md#mmcosine"
    tasks: ClassVar[frozenset[str] | None] = frozenset({"classification"})

    kind: Literal["mm_cosine"]
    scale: Positive = Field(10.0, description="s, so that a softmax of cosines can be sharp")

    def concatenates(self) -> bool:
        return True


class DeepLab(FusionSpec):
    """The DeepLabv3+ decoder over several encoders: all coarsest maps and all low-level maps side by side.

    z = conv3(conv3([up(coarsest_1 .. coarsest_M), relu(bn(P [low_1 .. low_M]))])), at the resolution of the low-level
    maps (a quarter of the image).
    """

    source: ClassVar[str] = "Chen et al. 2018 (DeepLabv3+), section 3.1; shared by all modalities as in CGGM's code"
    accepts: ClassVar[frozenset[Layout]] = frozenset({"pyramid"})
    layout: ClassVar[Layout] = "map"

    kind: Literal["deeplab"]
    width: Count = Field(256, description="of z")
    low_width: Count = Field(48, description="channels that the low-level maps are projected to")
    low_level: Annotated[int, Field(ge=0, le=10)] = Field(
        2, description="the low-level map's place in the pyramids, finest first; 2 in smp's is a quarter of the image"
    )
    dropout: Annotated[tuple[Rate, Rate], Field(strict=False)] = Field(
        (0.5, 0.1), description="after the first and the second 3x3 convolution"
    )


class SMPDecoder(FusionSpec):
    """A decoder of segmentation-models-pytorch over the maps of all modalities, concatenated level by level.

    z is as large as the image (unet, unetplusplus) or a quarter of it. unetplusplus and fpn need images that can be
    halved as often as the encoders do it, and encoders of output_stride 32.
    """

    source: ClassVar[str] = "segmentation_models_pytorch (Iakubovskii 2019)"
    accepts: ClassVar[frozenset[Layout]] = frozenset({"pyramid"})
    layout: ClassVar[Layout] = "map"
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unet": ("channels",),
        "unetplusplus": ("channels",),
        "fpn": ("width", "dropout"),
        "deeplabv3plus": ("width", "dropout"),
        "segformer": ("width",),
    }

    kind: Literal["smp_decoder"]
    decoder: Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "segformer"] = Field(description="which decoder")
    channels: Annotated[tuple[Count, ...], Field(min_length=1, max_length=5, strict=False)] | None = Field(
        None, description="unet and unetplusplus: of each block, coarsest first; null: the decoder's own"
    )
    width: Count | None = Field(
        None, description="fpn, deeplabv3plus, segformer: channels of z; null: the decoder's own"
    )
    dropout: Rate | None = Field(None, description="fpn, deeplabv3plus; null: the decoder's own")


Fusion = Annotated[
    Concat | Sum | Gated | Film | Transformer | MulT | LowRank | Late | Mean | MMTM | MMCosine | DeepLab | SMPDecoder,
    Field(discriminator="kind"),
]
