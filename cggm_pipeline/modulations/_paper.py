"""Preset `paper`: CGGM as the paper's text has it (Guo et al., NeurIPS 2024; design in docs/modulations.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._alignment import Alignment, alignment
from cggm_pipeline.modulations._head import Head, full_precision, weight_gradient
from cggm_pipeline.modulations._preset import Coefficients, Direction, Preset, View, linear_term, precise


class GainRatio(Coefficients):
    """B_i = (S - d_i) / S, d_i = eps_i(t) - eps_i(t-1), S = sum_k d_k + 1e-8; eps(0) = 0, carried across epochs."""

    previous: Tensor

    def __init__(self, modalities: int, device: torch.device) -> None:
        super().__init__()
        self.neutral = (modalities - 1) / modalities
        self.register_buffer("previous", torch.zeros(modalities, dtype=precise(device), device=device))

    def forward(self, scores: Tensor) -> Tensor:
        gains = scores - self.previous
        total = gains.sum() + 1e-8
        return (total - gains) / total

    def advance_(self, scores: Tensor, fused: Tensor) -> None:
        self.previous.copy_(scores)


class GradientCosine(Direction):
    """cos_i compares g = dL/dW with g_i = dL_i/dW_i, of this step; B_i and g_i are constants.

    g = delta^T z with delta = dL/dlogits: the double backward pass is one through the loss alone, and the ordinary one
    carries L_gm into head, fusion and encoders.
    """

    def __init__(self) -> None:
        super().__init__()
        self._latest: Alignment | None = None

    def forward(self, coefficients: Tensor, view: View) -> Tensor:
        with torch.autocast(view.step.logits.device.type, enabled=False):
            gradient = _head_gradient(view)
            own = torch.autograd.grad(view.losses, [head.weight for head in view.heads], retain_graph=True)
            shared = [gradient.detach().clone(), *(tensor.flatten(1).to(gradient.dtype) for tensor in own)]
            _distributed.mean_(shared, view.step.count)
            self._latest = alignment(coefficients, shared[0], shared[1:], view.places)
            return linear_term(self._latest.value, self._latest.slope, gradient)

    def advance_(self, coefficients: Tensor, view: View) -> Alignment:
        if self._latest is None:
            raise RuntimeError("modulate_ was called without penalty")
        latest, self._latest = self._latest, None
        return latest


def _head_gradient(view: View) -> Tensor:
    """This process's dL/dW (C, D), differentiable. Outside any compiled graph: those have no double backward."""
    logits, fused = full_precision([view.step.logits, view.step.fused])
    (delta,) = torch.autograd.grad(view.loss(logits, view.step.target), logits, create_graph=True)
    return weight_gradient(view.head, delta, fused)


def paper(head: Head, modalities: int, lam: float) -> Preset:
    return Preset(GainRatio(modalities, head.weight.device), GradientCosine())
