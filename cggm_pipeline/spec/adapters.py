"""Adapters: what of a built network learns, and the small parts that learn beside it. See `cggm_pipeline.adapters`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Positive, Rate
from cggm_pipeline.spec.encoders import Activation

Pattern = Annotated[str, Field(pattern=r"^[\w.*?\[\]!-]+$", max_length=200)]
"""Of dotted names: `*` stands for any characters, dots included, `?` for one, `[ab]` for one of them."""

Trained = Annotated[tuple[Pattern, ...], Field(max_length=100, strict=False)]
TRAINED = ("head.*", "fill.*")
TRAIN = "parameters that learn besides, by their names: * is anything; norms: those of every normalisation layer"

Where = Literal["last", "every"]


class AdapterSpec(Kind):
    """An adapter. Every kind but `none` freezes the network; its own parameters learn, and those that `train` names."""

    def layouts(self) -> frozenset[Layout] | None:
        """The layouts of features that it can change; null: it changes none of them."""
        return None

    def blocks(self) -> bool:
        """Whether it stands behind the blocks of token encoders, so that every encoder must have some."""
        return False

    def equal_widths(self) -> bool:
        """Whether the features of all modalities must be equally wide."""
        return False


class NoAdapter(AdapterSpec):
    """Nothing is frozen and nothing is added: training from scratch, or full fine-tuning of pretrained weights."""

    kind: Literal["none"] = "none"


class Frozen(AdapterSpec):
    """Only the named parameters learn: the head alone, the normalisation layers alone, one encoder alone."""

    source: ClassVar[str] = "linear probing; `norms`: the parameters that Wang et al., ICLR 2021 (Tent) adapt"
    equation: ClassVar[str] = "theta_frozen <- theta_frozen"
    cost: ClassVar[str] = "no parameter; the backward pass ends at the earliest parameter that learns"

    kind: Literal["frozen"]
    train: Trained = Field(TRAINED, description=TRAIN)


class BitFit(AdapterSpec):
    """The biases of the network learn, and nothing else but what `train` names."""

    source: ClassVar[str] = "Ben Zaken et al., ACL 2022 (arXiv 2106.10199)"
    equation: ClassVar[str] = "y = W x + b,  only b learns"
    cost: ClassVar[str] = "no parameter; the backward pass reaches the first layer, but no weight's gradient is made"

    kind: Literal["bitfit"]
    train: Trained = Field(TRAINED, description=TRAIN)


class LoRA(AdapterSpec):
    """A product of two thin matrices beside each named layer of encoders and fusion, by the library peft."""

    source: ClassVar[str] = "Hu et al., ICLR 2022 (arXiv 2106.09685), section 4.1; the library peft"
    equation: ClassVar[str] = "y = W x + (alpha / rank) B A x,  A: rank x in,  B: out x rank,  B = 0 at first"
    cost: ClassVar[str] = "two thin products per layer, forward and backward; rank (in + out) parameters per layer"

    kind: Literal["lora"]
    rank: Count = Field(8, description="of the product")
    alpha: Positive = Field(16.0, description="the product counts alpha / rank")
    dropout: Rate = Field(0.0, description="of what the product reads")
    target: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100, strict=False)] | None = Field(
        None,
        description="linear and convolutional layers of encoders and fusion, by their names (* is anything); null: "
        "every linear one",
    )
    train: Trained = Field(TRAINED, description=TRAIN)


class Bottleneck(AdapterSpec):
    """A narrow residual layer behind every Transformer block, or behind each modality's features."""

    source: ClassVar[str] = (
        "Houlsby et al., ICML 2019 (arXiv 1902.00751), section 2.1; one per block, as in Pfeiffer et al., EACL 2021"
    )
    equation: ClassVar[str] = "x <- x + U act(D x + c) + b,  D in R^{width x dim},  U = 0 and b = 0 at first"
    cost: ClassVar[str] = "two thin products per place; (2 dim + 1) width + dim parameters per place"

    kind: Literal["bottleneck"]
    width: Count = Field(16, description="of the narrow layer")
    activation: Activation = Field("gelu", description="between the two products")
    where: Where = Field(
        "every",
        description="every: behind each block of token encoders and of the fusion; last: behind each modality's "
        "features, before the fusion",
    )
    train: Trained = Field(TRAINED, description=TRAIN)

    def layouts(self) -> frozenset[Layout] | None:
        return frozenset({"vector", "tokens"}) if self.where == "last" else None

    def blocks(self) -> bool:
        return self.where == "every"


class Wander(AdapterSpec):
    """Low-rank sequence fusion: every token of every modality meets every other in a product of thin factors.

    Each modality's tokens are projected down, carried from their own time to a common one, multiplied with those of
    the others, and the product goes back to the tokens.
    """

    source: ClassVar[str] = "Guo et al., AAAI 2025 (arXiv 2412.08979); how the product goes back is ours"
    equation: ClassVar[str] = (
        "x~_m = gelu(x_m D_m + c_m) in R^{T_m x rank},  z_m[r, s] = (x~_m V_m[r])^T T_m[s] in R^{dim x rank}\n"
        "paper: F = sum_{r,s} prod_m z_m[r, s],  x_m <- x_m + U_m F^T - U_m0 F_0^T,  _0: as drawn\n"
        "released: F = prod_m sum_{r,s} z_m[r, s],  T_m = 0 at first,  the first `rank` tokens <- them + F^T"
    )
    cost: ClassVar[str] = (
        "per modality and place trank products (rank x T) (T x rank) and drank trank (dim x rank) (rank x rank), in "
        "form paper twice, forward, and again in the backward pass, which keeps no product; "
        "(dim + 1) rank + drank rank dim + (trank + 1) T rank parameters"
    )
    known: ClassVar[str] = "paper and released code differ: docs/paper-vs-code.md#wander"

    kind: Literal["wander"]
    form: Literal["paper", "released"] = Field(
        "paper", description="the sum over ranks of products, or the product of sums over ranks of the authors' code"
    )
    rank: Count = Field(16, description="width of the projected tokens, and number of fused tokens")
    drank: Count = Field(8, description="terms r of the element-wise decomposition")
    trank: Count = Field(12, description="terms s of the token-level decomposition")
    where: Where = Field(
        "last",
        description="last: on the features, before the fusion; every: behind each block of the encoders, in step",
    )
    tokens: Count | None = Field(
        None,
        description="tokens that every sequence is resampled to; null: its own, where their number is fixed",
    )
    train: Trained = Field(TRAINED, description=TRAIN)

    def layouts(self) -> frozenset[Layout] | None:
        return frozenset({"vector", "tokens"}) if self.where == "last" else None

    def blocks(self) -> bool:
        return self.where == "every"

    def equal_widths(self) -> bool:
        return True


Adapter = Annotated[NoAdapter | Frozen | BitFit | LoRA | Bottleneck | Wander, Field(discriminator="kind")]
