"""Unimodal ensemble (Du et al., ICML 2023, arXiv 2305.01233)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._unimodal import concatenated, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step


class UME(Modulation):
    """Trains a model per modality side by side; the mean of their logits predicts. Nothing is learned jointly.

    L = sum_m L(u_m, y),  u_m = W_m h_m + b;   logits = (1/M) sum_m u_m

    `head` reads z = [h_1 .. h_M] / M (the fusion `late`): `step.blocks`, or feature tensors whose widths add up to its
    input, say where; so u_m is M times block m's share of the logits. `loss(logits, target)`: a scalar.

    Each encoder and W_m gets the gradient of its own model alone; the bias b is shared, and so are the bound on the
    gradients' norm, the learning rate and the selected epoch, which is the ensemble's. A sample that lacks a modality
    teaches that modality's model nothing but b. The paper trains the models one by one, each selected by itself. It
    could be read second-hand only: that predictions are averaged is told by works that use it, that these are logits
    and not probabilities (and not weighted) is our reading. Raises ValueError where z is no concatenation.
    """

    def __init__(self, parts: Parts, head: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.names = tuple(sorted(parts.names))
        if len(self.names) < 2:
            raise ValueError(f"only {self.names[0]!r} was given; an ensemble needs at least 2 modalities")
        self._network = (checked(head, "head"), loss)
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The sum of the modalities' losses; the loss of their mean plays no part."""
        head, own = self._network
        if not concatenated(head, self.names, step):
            raise ValueError("an ensemble's head reads the features side by side, divided by M: give Step(blocks=...)")
        logits = unimodal_logits(head, self.names, step)
        losses = torch.stack([own(len(self.names) * each, step.target) for each in logits])
        self._seen.append(losses.detach())
        return losses.sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `unimodal_loss` per modality (mean over micro-batches, this process's)."""
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        return {"unimodal_loss": dict(zip(self.names, torch.stack(seen).mean(0), strict=True))}
