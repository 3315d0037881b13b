"""Modality-specific early stopping (Fujimori et al., ACPR 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _checks
from cggm_pipeline.modulations._classifiers import matching
from cggm_pipeline.modulations._preset import precise
from cggm_pipeline.modulations._snapshot import Snapshot
from cggm_pipeline.modulations._validation import validated
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step
from cggm_pipeline.modulations.unimodal_losses import UnimodalLosses


class MSES(Modulation):
    """Stops every modality's encoder by itself, at the epoch in which its own classifier was best on validation data.

    L <- L + weight * sum_m L(c_m(h_m), y),  c_m a classifier of modality m that teaches its encoder
    l_m(t) = smoothing v_m(t-1) + (1 - smoothing) v_m(t),  l_m(0) = v_m(0);  v_m: c_m's loss over the validation split
    e_m = argmin_t l_m(t);  at the end of epoch t > e_m + patience: theta_m <- theta_m(e_m), and m rests for good

    An encoder that rests gets a rate of 0 (`rates`), so that neither momentum nor weight decay moves it, and a gradient
    of 0 (`modulate_`), so that clipping does not see it. Its running statistics (batch normalisation) are put back too,
    and follow the data as before. Fusion, head and the other encoders go on, also after the last encoder rests.

    Source: the paper's abstract (classifiers trained together with the network, overfitting detected and stopped per
    modality); its full text was not available. The two-point mean is that of AGM's released code. Left out: that code
    puts back the whole network and its optimiser, other modalities included; a modulation has no optimiser.

    `modules`: what is each modality's own, by name: its encoder, with its part of an adapter.

    Needs the probe that a loop hands to `end_epoch`; without one nothing rests. `parameters()` are the classifiers'.
    """

    factor: Tensor
    last: Tensor
    best: Tensor
    best_epoch: Tensor

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        classifiers: Mapping[str, nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        patience: int = 10,
        smoothing: float = 0.6,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        _checks.within("patience", patience, 1)
        _checks.within("smoothing", smoothing, 0, 1)
        self._parts = Parts(modules)
        self._names = _checks.modalities(self._parts)
        matching(self._names, classifiers)
        self.unimodal = UnimodalLosses(classifiers, loss, weight=weight)
        self._loss = (loss,)
        self.patience, self.smoothing = patience, smoothing
        self.snapshot = Snapshot({name: partial(_tensors, modules[name]) for name in self._names})
        device, number = self._parts.parameters(self._names[0])[0].device, len(self._names)
        self.register_buffer("factor", torch.ones(number, device=device))
        self.register_buffer("last", torch.full((number,), torch.nan, dtype=precise(device), device=device))
        self.register_buffer("best", torch.full((number,), torch.inf, dtype=precise(device), device=device))
        self.register_buffer("best_epoch", torch.full((number,), -1, device=device))

    def penalty(self, step: Step) -> Tensor | float:
        """weight * the sum of the classifiers' losses, in the graph."""
        return self.unimodal.penalty(step)

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Clear the gradients of encoders that rest. Logs `unimodal_loss` and `rate` (1, or 0 at rest) per modality."""
        record = self.unimodal.modulate_(step)
        self._parts.scale_(self.rates())
        return {**record, "rate": dict(zip(self._names, self.factor.clone().unbind(), strict=True))}

    def rates(self) -> dict[str, Tensor]:
        """0 for a modality that rests, else 1."""
        return dict(zip(self._names, self.factor.unbind(), strict=True))

    @torch.no_grad()
    def end_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Measure the classifiers; remember encoders that are better than ever, put back those that have had enough."""
        if probe is None:
            return
        latest = validated(probe, self, self._losses)
        loss = torch.where(self.last.isnan(), latest, self.smoothing * self.last + (1 - self.smoothing) * latest)
        self.last.copy_(latest)
        for place, name in enumerate(self._names):
            if not float(self.factor[place]):
                continue
            if float(loss[place]) < float(self.best[place]):
                self.best[place], self.best_epoch[place] = loss[place], epoch
                self.snapshot.take_(name)
            elif epoch - int(self.best_epoch[place]) > self.patience:
                self.snapshot.restore_(name)
                self.factor[place] = 0.0

    def _losses(self, step: Step) -> list[Tensor]:
        classifiers = self.unimodal.classifiers
        return [self._loss[0](classifiers[name](step.features[name]), step.target) for name in self._names]


def _tensors(encoder: nn.Module) -> list[Tensor]:
    """What an encoder learns, and its running statistics."""
    return [*(each for each in encoder.parameters() if each.requires_grad), *encoder.buffers()]
