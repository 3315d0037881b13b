"""Modulations: how the training of the modalities is balanced. The methods themselves: `cggm_pipeline.modulations`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Positive, Spec

Preset = Literal["paper", "released", "stable"]


class Classifiers(Spec):
    """The small per-modality classifiers that several methods train beside the network and drop at inference.

    Vector features get a linear layer (behind one hidden layer where the head's input is not the modality's own
    width), token features `layers` Transformer blocks before it, pyramids a pooled 1x1 convolution. They are a
    parameter group of their own and are never clipped.
    """

    lr: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    layers: Count = 2
    heads: Count = 5
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class ModulationSpec(Kind):
    """A balancing method. `tasks` are the task kinds it is defined for, `min_modalities` the fewest it can balance.

    `trains_classifiers`: whether it trains one classifier per modality (section `classifiers`).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
    min_modalities: ClassVar[int] = 2
    trains_classifiers: ClassVar[bool] = False

    def effective(self) -> ModulationSpec:
        """The method that is really run: `none` where the parameters switch everything off."""
        return self


class NoModulation(ModulationSpec):
    """Joint training and nothing else."""

    min_modalities: ClassVar[int] = 1

    kind: Literal["none"] = "none"


class UnimodalLosses(ModulationSpec):
    """Joint training plus one loss per modality, on a classifier that is not detached from its encoder."""

    source: ClassVar[str] = "the multi-task baseline of Wang et al. 2020 and Wei & Hu 2024"
    equation: ClassVar[str] = "L <- L + weight * sum_i L(c_i(h_i), y)"
    trains_classifiers: ClassVar[bool] = True

    kind: Literal["unimodal_losses"]
    weight: Positive = 1.0


class OGMGE(ModulationSpec):
    """On-the-fly gradient modulation with generalisation enhancement."""

    source: ClassVar[str] = "Peng et al., CVPR 2022, equations 8-12; Wei et al., TPAMI 2024, equation 7"
    equation: ClassVar[str] = "grad_m <- k_m grad_m + noise;  k_m = 1 - tanh(alpha r_m) where r_m > 1, else 1"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})

    kind: Literal["ogm_ge"]
    alpha: Annotated[float, Field(ge=0)] = 0.8
    form: Literal["cvpr22", "tpami24"] = "tpami24"
    noise: bool = True
    start_epoch: Annotated[int, Field(ge=0)] = 0
    end_epoch: Annotated[int, Field(ge=0)] | None = None


class CGGM(ModulationSpec):
    """Classifier-guided gradient modulation: magnitude per encoder and direction of the head's gradient."""

    source: ClassVar[str] = "Guo et al., NeurIPS 2024 (arXiv 2411.01409)"
    equation: ClassVar[str] = (
        "B_i = (S - d_i) / S;  grad(encoder i) <- rho B_i grad;  L <- L + lam / M sum_i (|B_i| - B_i cos(g, g_i))"
    )
    trains_classifiers: ClassVar[bool] = True

    kind: Literal["cggm"]
    preset: Preset
    rho: Annotated[float, Field(ge=0)] | None = 1.3
    lam: Annotated[float, Field(ge=0)] = 0.2
    normalise: bool = False

    def effective(self) -> ModulationSpec:
        return NoModulation() if self.rho is None and self.lam == 0 else self


Modulation = Annotated[NoModulation | UnimodalLosses | OGMGE | CGGM, Field(discriminator="kind")]
