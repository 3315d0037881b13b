"""Disentangled gradient learning (Wei et al., ICCV 2025, arXiv 2507.10213)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from cggm_pipeline.modulations._features import tensors
from cggm_pipeline.modulations._leaves import gradients, inner, leaf
from cggm_pipeline.modulations.base import Modulation, Record, Step


class DGL(Modulation):
    """Encoders learn from their own modality's loss alone, fusion and head from the joint loss alone.

    L_m = L(head(fusion(h_m, the other features at zero)), y)
    grad(encoders) <- alpha sum_m dL_m,  constants for fusion and head
    grad(fusion, head) <- dL,  of detached features

    `mask` must have been called on the features before fusion, and `Step` needs what it returned as `features`, and
    `rerun`. `loss(logits, target)`: a scalar. The gradients are exact, not differences: `mask` cuts the features from
    their encoders, and `objective` hands dL_m/dh_m on to the encoder of m. The number that `objective` returns is
    L + alpha sum_m L_m. Any number of modalities, any fusion.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], *, alpha: float = 4.0) -> None:
        super().__init__()
        if alpha <= 0:
            raise ValueError(f"alpha is {alpha}; allowed: above 0 (at 0 no encoder learns)")
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self.alpha = alpha
        self._attached: dict[str, Any] = {}
        self._seen: list[Tensor] = []
        self._names: list[str] = []

    def mask(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same values, cut from their encoders; what they were cut from is kept until `objective`."""
        self._attached = {name: features[name] for name in sorted(features)}
        return {name: leaf(value) for name, value in features.items()}

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The joint loss, and alpha times every modality's own."""
        attached, self._attached = self._attached, {}
        if not attached:
            raise RuntimeError("objective was called without mask: call mask on the features before they are fused")
        if step.rerun is None:
            raise ValueError("dgl needs Step(rerun=...): logits with the named modalities' features set to zero")
        self._names, own = list(attached), []
        for name, features in attached.items():
            own.append(self._loss[0](step.rerun([other for other in attached if other != name]), step.target))
            given = gradients(self.alpha * own[-1], self._leaves(step, name))
            handed = inner(features, given)
            loss = loss + self.alpha * own[-1].detach() + (handed - handed.detach())
        self._seen.append(torch.stack(own).detach())
        return loss

    def _leaves(self, step: Step, name: str) -> list[Tensor]:
        found = tensors(step.features[name])
        if not all(tensor.is_leaf and tensor.requires_grad for tensor in found):
            raise ValueError(f"step.features[{name!r}] is not what mask returned; fuse that, and give it to Step")
        return found

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Edits nothing; logs `unimodal_loss`, L_m (mean over micro-batches, this process's)."""
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        return {"unimodal_loss": dict(zip(self._names, torch.stack(seen).mean(0), strict=True))}
