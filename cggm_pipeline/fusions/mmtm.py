"""The multimodal transfer module (Joze et al., CVPR 2020), behind the encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from cggm_pipeline.fusions.base import Fusion, blocks
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName


class MMTM(Fusion):
    """z = [g_1 * h_1 .. g_M * h_M] / M,  g_m = 2 sigmoid(E_m e),  e = relu(S [h_1 .. h_M]).

    S squeezes all modalities into int(2 D / ratio) numbers, D their joint width; E_m excites modality m. z is read as
    by late fusion: logits = mean_m (W_m (g_m * h_m) + b), the mean of the branches' own predictions.

    Joze et al. put one such module behind each of the later convolutional stages and squeeze maps by averaging over
    space. Here ONE stands behind the encoders, whose vectors are squeezed already: the streams exchange information
    once, at the end, and not on the way. Of a modality that is absent (a zero vector) the others' gates read nothing.

    `hold_` replaces one modality's gates in training by given numbers (Greedy, Wu et al. 2022); buffers remember it.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector"})
    held: Tensor
    steady: Tensor

    def __init__(self, widths: Mapping[str, int], *, ratio: float = 4.0) -> None:
        super().__init__()
        self.width = sum(widths.values())
        self.places = blocks(widths)
        joint = max(1, int(2 * self.width / ratio))
        self.squeeze = nn.Linear(self.width, joint)
        self.excitations: ByName[nn.Linear] = ByName({name: nn.Linear(joint, widths[name]) for name in sorted(widths)})
        self.register_buffer("held", torch.zeros(len(widths), dtype=torch.bool))
        self.register_buffer("steady", torch.ones(self.width))

    def gates(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        """g_m in (0, 2), (B, D_m), by modality."""
        together = torch.cat([features[name].tensor for name in self.places], dim=1)
        excited = self.squeeze(together).relu()
        return {name: 2 * excitation(excited).sigmoid() for name, excitation in self.excitations.items()}

    @torch.no_grad()
    def hold_(self, held: Tensor, steady: Tensor) -> None:
        """From the next training step on: `held` (M,) bool, whose gates are replaced by their part of `steady` (D,).

        Modalities and their parts are in the order of `places`, sorted by name.
        """
        self.held.copy_(held)
        self.steady.copy_(steady)

    def forward(self, features: Mapping[str, Features]) -> Features:
        gates = self.gates(features)
        if self.training:
            held = dict(zip(self.places, self.held.unbind(), strict=True))
            gates = {
                name: torch.where(held[name], self.steady[place].to(gates[name].dtype), gates[name])
                for name, place in self.places.items()
            }
        gated = [gates[name] * features[name].tensor for name in self.places]
        return Features(torch.cat(gated, dim=1) / len(gated))
