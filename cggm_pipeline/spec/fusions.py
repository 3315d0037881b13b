"""Fusions: the features of all modalities to one representation z, which one linear head reads."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Rate, Slug
from cggm_pipeline.spec.encoders import Activation


class FusionSpec(Kind):
    """A fusion. `accepts` are the feature layouts it can take, `layout` is the form of z.

    `equal_widths`: whether the features of all modalities must be equally wide.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})
    layout: ClassVar[Layout] = "vector"
    equal_widths: ClassVar[bool] = False
    min_modalities: ClassVar[int] = 1


class Concat(FusionSpec):
    """Features side by side, sorted by modality name. With a `width` a linear layer and an activation follow."""

    equation: ClassVar[str] = "z = [h_1 .. h_M]   or   z = act(P [h_1 .. h_M] + c)"

    kind: Literal["concat"]
    width: Count | None = Field(None, description="z's width behind a linear layer; null: the features as they are")
    activation: Activation = Field("relu", description="after the linear layer")
    dropout: Rate = Field(0.0, description="after the activation")


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


Fusion = Annotated[
    Concat | Sum | Gated | Film | Transformer | LowRank | Late,
    Field(discriminator="kind"),
]
