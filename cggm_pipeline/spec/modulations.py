"""Modulations: how the training of the modalities is balanced. The methods themselves: `cggm_pipeline.modulations`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Positive, Spec

Preset = Literal["paper", "released", "stable"]


class Classifiers(Spec):
    """The small per-modality classifiers that several methods train beside the network and drop at inference.

    Vector features get a linear layer (behind one hidden layer where the head's input is not the modality's own
    width), token features `layers` Transformer blocks before it; where z is a map, each modality gets the network's
    decoder for itself. They are a parameter group of their own and are never clipped.
    """

    lr: Positive | None = Field(None, description="their learning rate; null: the optimizer's")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="theirs alone")
    scheduled: bool = Field(True, description="whether training.scheduler moves their rate too; false: it is constant")
    layers: Count = Field(2, description="Transformer blocks over token features")
    heads: Count = Field(5, description="of these blocks; divides the features' width")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="in these blocks")


class ModulationSpec(Kind):
    """A balancing method. `tasks` are the task kinds it is defined for, `min_modalities` the fewest it can balance.

    `trains_classifiers`: whether it trains one classifier per modality (section `classifiers`).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})
    min_modalities: ClassVar[int] = 2
    trains_classifiers: ClassVar[bool] = False

    def effective(self) -> ModulationSpec:
        """The method that is really run: `none` where the parameters switch everything off."""
        return self


class NoModulation(ModulationSpec):
    """Joint training and nothing else."""

    cost: ClassVar[str] = "nothing"
    min_modalities: ClassVar[int] = 1

    kind: Literal["none"] = "none"


class UnimodalLosses(ModulationSpec):
    """Joint training plus one loss per modality, on a classifier that is not detached from its encoder."""

    source: ClassVar[str] = "the multi-task baseline of Wang et al. 2020 and Wei & Hu 2024"
    equation: ClassVar[str] = "L <- L + weight * sum_i L(c_i(h_i), y)"
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; no extra pass through the network"
    )
    trains_classifiers: ClassVar[bool] = True

    kind: Literal["unimodal_losses"]
    weight: Positive = Field(1.0, description="of the modalities' losses beside the task's")


class OGMGE(ModulationSpec):
    """On-the-fly gradient modulation with generalisation enhancement.

    Slows the encoder of the modality whose own logits are ahead, and adds noise to the encoders' gradients.
    """

    source: ClassVar[str] = "Peng et al., CVPR 2022, equations 8-12; Wei et al., TPAMI 2024, equation 7"
    equation: ClassVar[str] = (
        "grad_m <- k_m grad_m + noise,  noise ~ N(0, std(grad_m))\n"
        "s_m = sum_i softmax(u_m)[i, y_i],  r_m = mean over j != m of s_m / s_j;  k_m = 1 where r_m <= 1, else\n"
        "tpami24: k_m = max(1 - alpha tanh(r_m - 1), 0)    cvpr22: k_m = 1 - tanh(alpha r_m)"
    )
    cost: ClassVar[str] = (
        "no parameters, no extra backward pass; each modality's logits u_m are read from the head's blocks, or, where "
        "z is no concatenation, from the fusion and the head once more per modality"
    )
    known: ClassVar[str] = "papers and released code differ in 6 points: docs/paper-vs-code.md#ogm-ge"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "segmentation"})

    kind: Literal["ogm_ge"]
    alpha: Annotated[float, Field(ge=0)] = Field(0.8, description="strength; 0 scales nothing")
    form: Literal["cvpr22", "tpami24"] = Field("tpami24", description="whose factor k_m: CVPR eq. 10 or TPAMI eq. 7")
    noise: bool = Field(True, description="add Gaussian noise of the gradient's own standard deviation")
    start_epoch: Annotated[int, Field(ge=0)] = Field(0, description="first epoch in which it acts, from 0")
    end_epoch: Annotated[int, Field(ge=0)] | None = Field(
        None, description="last epoch in which it acts; null: to the end"
    )


class CGGM(ModulationSpec):
    """Classifier-guided gradient modulation.

    Each modality gets a small classifier that reads its detached features (in preset "stable" it teaches its encoder as
    well). Encoders whose classifier gains less than the others get larger gradients; the head's gradient is pulled
    towards the classifiers'. Preset "stable" has a B_i of its own: docs/decisions/0002-stable-preset.md.
    """

    source: ClassVar[str] = "Guo et al., NeurIPS 2024 (arXiv 2411.01409)"
    equation: ClassVar[str] = (
        "B_i = (S - d_i) / S,  d_i = eps_i(t) - eps_i(t-1),  S = sum_k d_k + 1e-8;  eps_i: score of classifier i\n"
        "grad(encoder i) <- rho B_i grad;  L <- L + lam / M sum_i (|B_i| - B_i cos(g, g_i))"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; no extra pass through the network "
        "(measured by benchmarks/cggm_step.py)"
    )
    known: ClassVar[str] = "paper and released code differ in 4 points: docs/paper-vs-code.md#cggm"
    trains_classifiers: ClassVar[bool] = True

    kind: Literal["cggm"]
    preset: Preset = Field(
        description="the equations, the authors' code, or ours (docs/decisions/0002-stable-preset.md)"
    )
    rho: Annotated[float, Field(ge=0)] | None = Field(
        1.3, description="strength of the magnitude; null switches it off"
    )
    lam: Annotated[float, Field(ge=0)] = Field(
        0.2, description="strength of the direction (stable: of the classifiers' say); 0 switches it off, at no cost"
    )
    normalise: bool = Field(False, description="multiply B_i by M/(M-1), so that its neutral value is 1 for every M")

    def effective(self) -> ModulationSpec:
        return NoModulation() if self.rho is None and self.lam == 0 else self


Modulation = Annotated[NoModulation | UnimodalLosses | OGMGE | CGGM, Field(discriminator="kind")]
