"""Joint training plus one loss per modality (the multi-task baseline of Wang et al. 2020 and Wei & Hu 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._classifiers import Classifiers
from cggm_pipeline.modulations.base import Modulation, Record, Step


class UnimodalLosses(Modulation):
    """L <- L + weight * sum_i L(c_i(h_i), y). The classifiers c_i read features that are NOT detached.

    `classifiers`: per modality, a module from `step.features[name]` to logits. `loss(logits, target)`: a scalar.
    `parameters()` are the classifiers'. Several processes average the classifiers' gradients in `modulate_`.
    """

    def __init__(
        self,
        classifiers: Mapping[str, nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not classifiers:
            raise ValueError("no classifier was given; unimodal losses need one per modality")
        self.classifiers = Classifiers(classifiers)
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self.weight = weight
        self._seen: list[Tensor] = []

    def penalty(self, step: Step) -> Tensor | float:
        """weight * the sum of the classifiers' losses, in the graph."""
        losses = torch.stack(
            [self._loss[0](self.classifiers[name](step.features[name]), step.target) for name in self.classifiers]
        )
        self._seen.append(losses.detach())
        return self.weight * losses.sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `unimodal_loss` per modality (mean over micro-batches, this process's)."""
        _distributed.mean_gradients_(self.parameters())
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        return {"unimodal_loss": dict(zip(self.classifiers, torch.stack(seen).mean(0), strict=True))}
