"""Preset `released`: what the authors' published code computes, for parity (docs/paper-vs-code.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.modulations._alignment import Alignment, alignment
from cggm_pipeline.modulations._head import Head, matrix
from cggm_pipeline.modulations._paper import GainRatio
from cggm_pipeline.modulations._preset import Direction, Preset, View, linear_term


class WeightCosine(Direction):
    """cos_i compares the weights W and W_i, and the term enters the loss one step late.

    Its value and its gradient with respect to W, both of step t, are buffers that join the loss and W's gradient at
    step t+1. They reach nothing but W.
    """

    value: Tensor
    slope: Tensor

    def __init__(self, head: Head) -> None:
        super().__init__()
        weight = matrix(head).detach()
        self.register_buffer("value", torch.zeros((), dtype=weight.dtype, device=weight.device))
        self.register_buffer("slope", torch.zeros_like(weight))

    def forward(self, coefficients: Tensor, view: View) -> Tensor:
        return linear_term(self.value, self.slope, matrix(view.head))

    def advance_(self, coefficients: Tensor, view: View) -> Alignment:
        latest = alignment(coefficients, matrix(view.head), [matrix(head) for head in view.heads], view.places)
        self.value.copy_(latest.value)
        self.slope.copy_(latest.slope)
        return latest


def released(head: Head, modalities: int, lam: float) -> Preset:
    return Preset(GainRatio(modalities, head.weight.device), WeightCosine(head))
