"""Diagnosing and re-learning (Wei et al., ECCV 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _checks, _distributed
from cggm_pipeline.modulations._clusters import clusters, purity, scaled
from cggm_pipeline.modulations._head import checked, size
from cggm_pipeline.modulations._pooled import pooled
from cggm_pipeline.modulations._snapshot import Snapshot
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step


class Relearning(Modulation):
    """Draws encoders back towards their initial weights, those further that have memorised their training data.

    theta_m <- (1 - a_m) theta_m + a_m theta_m(initial),  a_m = tanh(lam g_m),  g_m = |P_m(train) - P_m(valid)|
    P_m(split) = (1/N) sum over clusters of the samples of their most frequent class: the purity of k-means with k =
    classes (outputs of the head) on the features of modality m, each dimension scaled to [-1, 1] within the split

    Before epochs `every`, 2 `every`, ..., at most `times` times. The initial weights are those at construction. All
    trainable parameters of the encoders are drawn back, and nothing else: fusion, head, the optimiser's state and
    running statistics stay, as in the released code. Features: (B, D), or tokens (B, T, D), of which the real ones are
    averaged (ours). Targets are class indices, one per sample.

    `modules`: what is each modality's own, by name: its encoder, with its part of an adapter.

    Needs the probe that a loop hands to `start_epoch`, and scikit-learn at that moment.
    """

    alpha: Tensor
    done: Tensor

    def __init__(
        self, modules: Mapping[str, nn.Module], head: nn.Module, *, lam: float = 3.0, every: int = 20, times: int = 3
    ) -> None:
        super().__init__()
        for what, value, least in (("lam", lam, 0), ("every", every, 1), ("times", times, 0)):
            _checks.within(what, value, least)
        parts = Parts(modules)
        self._names = _checks.modalities(parts)
        self._classes = size(checked(head, "head"))[0]
        self.lam, self.every, self.times = lam, every, times
        self.initial = Snapshot({name: partial(parts.parameters, name) for name in self._names})
        device = parts.parameters(self._names[0])[0].device
        self.register_buffer("alpha", torch.zeros(len(self._names), device=device))
        self.register_buffer("done", torch.zeros((), dtype=torch.int64, device=device))

    @torch.no_grad()
    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Diagnose and draw back, where it is time."""
        if probe is None or not epoch or epoch % self.every or int(self.done) >= self.times:
            return
        train, valid = self.purities(probe, "train"), self.purities(probe, "valid")
        gaps = [abs(train[name] - valid[name]) for name in self._names]
        self.alpha.copy_(torch.tanh(self.lam * self.alpha.new_tensor(gaps)))
        _distributed.first_(self.alpha)
        for name, alpha in zip(self._names, self.alpha, strict=True):
            for initial, parameter in zip(self.initial.copies(name), self.initial.live(name), strict=True):
                parameter.lerp_(initial, alpha.to(parameter.dtype))
        self.done += 1

    def modulate_(self, step: Step) -> Record:
        """Changes no gradient; logs `alpha` (the last a, 0 before the first time) per modality."""
        return {"alpha": dict(zip(self._names, self.alpha.clone().unbind(), strict=True))}

    @torch.no_grad()
    def purities(self, probe: Probe, split: str) -> dict[str, float]:
        """P of every modality on a split of the probe."""
        rows: dict[str, list[Tensor]] = {name: [] for name in self._names}
        targets = []
        for step in probe.steps(split):
            targets.append(step.target.long().to("cpu"))
            for name, kept in rows.items():
                kept.append(pooled(step.features[name]).float().to("cpu"))
        target = torch.cat(targets)
        return {name: purity(clusters(scaled(torch.cat(kept)), self._classes), target) for name, kept in rows.items()}
