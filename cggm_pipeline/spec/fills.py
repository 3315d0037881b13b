"""Fills: what stands in for the features of a modality that a sample does not have."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Layout, Rate, Slug


class FillSpec(Kind):
    """A fill. `accepts` are the feature layouts it can take."""

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens", "pyramid"})

    def at_most(self) -> tuple[str, int] | None:
        """For how many modalities it is defined, and the field that says so; null: any number."""
        return None

    def equal_widths(self) -> str | None:
        """The field for which the features of all modalities must be equally wide; null: they need not be."""
        return None

    def attaches(self) -> bool:
        """Whether it attaches tokens to sequences, so that they are longer than what their encoder says."""
        return False


class Zeros(FillSpec):
    """Absent features become zeros."""

    kind: Literal["zeros"] = "zeros"


class Mean(FillSpec):
    """Absent features become the mean of those that were there in training, channel by channel.

    The exact mean of everything seen so far: of tokens over those that are no padding, of pyramids map by map.
    """

    equation: ClassVar[str] = "h_m = (1/n) sum_i h_m(i), i: training samples so far that have m, zeros before the first"
    cost: ClassVar[str] = "a sum over each modality's features per training step; no parameter"

    kind: Literal["mean"]


class ModalityDropout(FillSpec):
    """Modalities are dropped at random in training, sample by sample; absent and dropped features become zeros.

    One modality of each sample stays. In evaluation it is `zeros`. What is dropped are features: modulations and
    schedules that look at the inputs see the samples as they came.
    """

    source: ClassVar[str] = (
        "Neverova et al., TPAMI 2016 (ModDrop); row MD of Guo et al., ACL 2024 (MPLMM), Table 1, rate unknown"
    )
    equation: ClassVar[str] = (
        "h_m <- b_m h_m,  b_m ~ Bernoulli(1 - rate_m);  where all b_m are 0, b = 1 for one of those that are there"
    )
    cost: ClassVar[str] = "two random numbers per sample and modality; no parameter"

    kind: Literal["modality_dropout"]
    rate: Rate | dict[Slug, Rate] = Field(
        0.3, description="how often a modality is dropped: every one, or by name, 0 for those that are not named"
    )


class Generated(FillSpec):
    """Multimodal prompt learning (MPLMM): absent features are generated, and prompts say what is absent.

    Three kinds of prompts, each with its switch; without all three it is `zeros`.
    """

    source: ClassVar[str] = "Guo et al., ACL 2024 (MPLMM, arXiv 2407.05374), equations 1 to 5"
    equation: ClassVar[str] = (
        "generative     x_m = gelu(V_m [P_G, gelu(conv_j x_j) for j != m])   where m is absent; [..] and V over time\n"
        "signal         x_m <- x_m + P^m,  P^m = P_MS where m is absent, else P_NMS\n"
        "missing_type   x_m <- [P_MT^m M_P, x_m],  M_P = sum_m M_m P^m"
    )
    cost: ClassVar[str] = (
        "M (M - 1) convolutions and M matrices over time per step, however many modalities are absent; parameters are "
        "linear in M per modality, and do not grow with sequences longer than `steps`. With blocks: subset "
        "M (2^(M-1) - 1) matrices"
    )
    known: ClassVar[str] = (
        "paper and released code differ, and as released the missing-type prompts never learn: "
        "docs/paper-vs-code.md#mplmm"
    )
    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens"})

    kind: Literal["generated"]
    generative: bool = Field(True, description="absent features are made of those that are there; else zeros")
    signal: bool = Field(True, description="to features that are absent, and to those that are not, a prompt is added")
    missing_type: bool = Field(True, description="tokens that say which modalities are absent go with each modality's")
    length: Count = Field(16, description="of every prompt, in tokens")
    steps: Count = Field(
        50, description="tokens that the generator works on at most; also what it makes where their number varies"
    )
    kernel: Annotated[int, Field(ge=1, le=31)] = Field(1, description="of the convolutions f_{j->m}, in tokens")
    blocks: Literal["target", "subset"] = Field(
        "target",
        description="matrices V over time: one per modality that is made; or for it and each set that can be there",
    )
    form: Literal["paper", "released"] = Field(
        "paper",
        description="released: prompts start at 0, M_P is a sum of P M, missing-type tokens stand behind, not in front",
    )

    def at_most(self) -> tuple[str, int] | None:
        return ("blocks", 6) if self.generative and self.blocks == "subset" else None

    def equal_widths(self) -> str | None:
        return "missing_type" if self.missing_type else None

    def attaches(self) -> bool:
        return self.missing_type


class MissingAware(FillSpec):
    """A prompt in front of each modality's tokens for each case of what a sample has; absent features become zeros.

    The input-level prompts of the paper, before the fusion; to a vector the mean of the prompt is added.
    """

    source: ClassVar[str] = "Lee et al., CVPR 2023 (missing-aware prompts)"
    equation: ClassVar[str] = "x_m <- [P_c^m, x_m],  c: the set of modalities that the sample has"
    cost: ClassVar[str] = "longer sequences; 2^M - 1 prompts per modality"
    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens"})

    kind: Literal["missing_aware"]
    length: Count = Field(16, description="of every prompt, in tokens")

    def at_most(self) -> tuple[str, int] | None:
        return "kind", 8

    def attaches(self) -> bool:
        return True


Fill = Annotated[Zeros | Mean | ModalityDropout | Generated | MissingAware, Field(discriminator="kind")]
