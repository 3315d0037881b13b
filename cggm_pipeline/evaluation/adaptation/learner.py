"""Optimiser steps over the scales and shifts of normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_


class Learner:
    """Adam over `parameters`, its gradients bounded by `clip` (the norm of all; None: no bound)."""

    def __init__(self, parameters: Sequence[nn.Parameter], *, lr: float = 1e-3, clip: float | None = None) -> None:
        self._parameters, self._clip = list(parameters), clip
        self._optimizer = torch.optim.Adam(self._parameters, lr=lr)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a scalar loss. Nothing goes to the host."""
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self._clip is not None:
            clip_grad_norm_(self._parameters, self._clip)
        self._optimizer.step()
