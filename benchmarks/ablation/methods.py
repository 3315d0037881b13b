"""The methods of the ablation: cggm_pipeline.modulations, and preset `stable` with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from small_networks import Network
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations import CGGM, OGMGE, Modulation, NoModulation, Parts, UnimodalLosses, accuracy
from cggm_pipeline.modulations._paper import GradientCosine
from cggm_pipeline.modulations._preset import Coefficients
from cggm_pipeline.modulations._stable import Shortfall

Make = Callable[[Network], Modulation]


def cggm(preset: str, **options: Any) -> Make:
    def make(network: Network) -> CGGM:
        parts, head = Parts(dict(network.encoders.items())), network.head
        return CGGM(parts, network.classifiers, head, functional.cross_entropy, accuracy, preset=preset, **options)

    return make


def changed(rule: Callable[[int, torch.device], Coefficients], **options: Any) -> Make:
    """Preset `stable` with another rule for B_i and w_i."""

    def make(network: Network) -> CGGM:
        method = cggm("stable", **options)(network)
        method.coefficients = rule(len(network.names), network.head.weight.device)
        return method

    return make


def with_direction(network: Network) -> CGGM:
    """Preset `stable` and lam * L_gm on the head, as in preset `paper`, with the B_i of `stable`."""
    method = cggm("stable")(network)
    method.direction = GradientCosine()
    return method


class Detached(Shortfall):
    """B_i scales the joint gradient, but the classifiers read detached features: magnitude alone."""

    def guidance(self) -> Tensor | None:
        return None

    def forward(self, scores: Tensor) -> Tensor:
        return 1 / (1 + super().guidance())


class Alone(Shortfall):
    """w_i = e_i / (1 - e_i + margin): compared with a perfect score, not with the fused prediction's."""

    def guidance(self) -> Tensor:
        return self.own / ((1 - self.own).clamp_min(0) + self._margin)


class Fixed(Shortfall):
    """w_i = constant, whatever the scores. A huge one keeps the joint loss from the encoders."""

    def __init__(self, modalities: int, device: torch.device, *, weight: float) -> None:
        super().__init__(modalities, device)
        self.weight = torch.full((modalities,), weight, dtype=self.own.dtype, device=device)

    def guidance(self) -> Tensor:
        return self.weight


class Speed(Coefficients):
    """B_i from the positive part of a fast minus a slow running mean of eps, plus 0.02; at most 2; w_i = 1."""

    def __init__(self, modalities: int, device: torch.device) -> None:
        super().__init__()
        self.neutral = 1.0
        self.register_buffer("means", torch.zeros(2, modalities, dtype=torch.float64, device=device))
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64, device=device))

    def guidance(self) -> Tensor:
        return self.means.new_ones(self.means.shape[1])

    def forward(self, scores: Tensor) -> Tensor:
        gains = (self.means[0] - self.means[1]).clamp_min(0) + 0.02
        count = len(gains)
        return ((1 - gains / gains.sum()) * count / (count - 1)).clamp_max(2)

    def advance_(self, scores: Tensor, fused: Tensor) -> None:
        self.steps.add_(1)
        for mean, rate in zip(self.means, (0.1, 0.02), strict=True):
            mean.lerp_(scores, (1 / self.steps).clamp_min(rate))


METHODS: Mapping[str, Make] = {
    "none": lambda network: NoModulation(),
    "unimodal_losses": lambda network: UnimodalLosses(network.classifiers, functional.cross_entropy),
    "ogm_ge": lambda network: OGMGE(Parts(dict(network.encoders.items())), network.head),
    "cggm paper": cggm("paper"),
    "cggm released": cggm("released"),
    "cggm stable": cggm("stable"),
}
ABLATIONS: Mapping[str, Make] = {
    "stable, with the paper's direction term too": with_direction,
    "stable, classifiers detached": changed(Detached),
    "stable, w_i = 1": changed(lambda m, device: Fixed(m, device, weight=1.0)),
    "stable, joint loss kept from the encoders": changed(lambda m, device: Fixed(m, device, weight=1e6)),
    "stable, compared with 1, not with the fused score": changed(Alone),
    "stable, no running mean (last batch)": changed(lambda m, device: Shortfall(m, device, rate=1.0)),
    "stable, margin 0.02": changed(lambda m, device: Shortfall(m, device, margin=0.02)),
    "stable, margin 0.2": changed(lambda m, device: Shortfall(m, device, margin=0.2)),
    "bounded speed, with unimodal losses": changed(Speed, rho=1.0),
}
