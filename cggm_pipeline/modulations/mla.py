"""Multimodal learning with alternating unimodal adaptation (Zhang et al., CVPR 2024, arXiv 2311.10707)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._features import tensors
from cggm_pipeline.modulations._head import Head, checked, size
from cggm_pipeline.modulations._turn import turn_of
from cggm_pipeline.modulations.base import Modulation, Record, Step

Form = Literal["paper", "released"]


class MLA(Modulation):
    """The modalities learn in turn through one shared head, whose gradient leaves alone what the last one taught it.

    In the turn of modality m (`step.active` = {m}):  L = loss(head(z_m), y)
    form "paper":     q = P r^T / (alpha + r P r^T);  P <- P - q r P;  grad(W) <- grad(W) P
    form "released":  grad(W) as it is: the released code's projection is never applied (docs/paper-vs-code.md)

    r (1, D): the mean feature of the turn before, another modality's; P (D, D) starts as the identity, and alpha stays
    as it is, so that P = (I + sum r^T r / alpha)^-1 (recursive least squares) closes direction after direction to the
    head. The bias learns freely.
    Where `step.active` is None all modalities learn together by the task's loss, unprojected, and r stays as it is.

    z = mean_m z_m (`fusion: mean`) makes logits = mean_m head(z_m); the paper weighs them by certainty at test time:
    `prediction: {kind: entropy_weighted}`. A sample that lacks m counts with the features it was filled with.
    `loss(logits, target)` is the task's. ValueError where features are not what the head reads, or no single modality's
    turn it is.
    """

    projection: Tensor
    previous: Tensor

    def __init__(
        self, head: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], *, alpha: float = 0.1, form: Form = "paper"
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"form is {form!r}; allowed: {', '.join(get_args(Form))}")
        if not alpha > 0:
            raise ValueError(f"alpha is {alpha}; allowed: a number above 0, as r P r^T may be 0")
        self._head, self._loss = (checked(head, "head"),), (loss,)
        self.alpha, self.form = alpha, form
        weight, width = self._head[0].weight, size(self._head[0])[1]
        self.register_buffer("projection", torch.eye(width, dtype=weight.dtype, device=weight.device))
        self.register_buffer("previous", torch.zeros(width, dtype=weight.dtype, device=weight.device))
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The loss of the shared head on the modality whose turn it is, alone."""
        name = turn_of(step, step.features)
        if name is None:
            return loss
        values = _vector(step.features[name], name, self._head[0])
        own: Tensor = self._loss[0](self._head[0](values), step.target)
        total = values.detach().to(self.previous.dtype).sum(0)
        self._seen.append(torch.cat([total, total.new_ones(1) * len(values), own.detach().to(total.dtype)[None]]))
        self._seen[-1][:-1] *= step.count > 0
        return own

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `unimodal_loss` of the turn's modality (mean over micro-batches, this process's)."""
        name = turn_of(step, step.features)
        if name is None:
            return {}
        if not self._seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        seen, self._seen = torch.stack(self._seen), []
        feature = seen[:, :-1].sum(0)
        _distributed.mean_([feature])
        if self.form == "paper":
            with torch.autocast(feature.device.type, enabled=False):
                self._project_()
        self.previous.copy_(feature[:-1] / feature[-1])
        return {"unimodal_loss": {name: seen[:, -1].mean()}}

    def _project_(self) -> None:
        """P with the last turn's mean feature (zeros before any: P stays), then the head's gradient times P."""
        r, projection = self.previous, self.projection
        column = projection @ r
        self.projection.sub_(torch.outer(column, r @ projection) / (self.alpha + r @ column))
        gradient = self._head[0].weight.grad
        if gradient is not None:
            gradient.copy_((gradient.flatten(1).to(projection.dtype) @ self.projection).view_as(gradient))


def _vector(features: object, name: str, head: Head) -> Tensor:
    values, *more = tensors(features)
    if more or values.dim() != 2 or values.shape[1] != size(head)[1]:
        shape, width = tuple(values.shape), size(head)[1]
        raise ValueError(f"features of {name!r} have shape {shape}; the shared head reads (B, {width})")
    return values
