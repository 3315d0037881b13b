"""Modality-informed learning rate scheduler (Guerra-Manzanares & Shamout, IJCNN 2025)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _checks
from cggm_pipeline.modulations._preset import precise
from cggm_pipeline.modulations._validation import validated
from cggm_pipeline.modulations.base import Modulation, Probe, Record, Step
from cggm_pipeline.modulations.unimodal_losses import UnimodalLosses


class MILES(Modulation):
    """Slows the encoder of the modality that the joint prediction relies on most, from epoch to epoch.

    L <- L + weight * sum_m L(c_m(h_m), y),  c_m a classifier of modality m that teaches its encoder
    u_m = (S(all) - S(without m)) / S(all),  S: `score`, more is better, over the validation split
    lr(encoder m) <- mu lr in the next epoch  where u_m is the largest, otherwise lr
    no encoder is slowed where max u - min u <= tau, where every u_m < 0, or where S(all) is not above 0 (ours)

    Two modalities, the paper: S(without m) is the score of the other modality's classifier. More of them, ours: the
    score of the fused prediction with the features of m at zero (`step.rerun`), and the largest u of all is slowed. mu
    multiplies the optimiser's rate and does not build up over epochs. No released code was found.

    Needs the probe that a loop hands to `end_epoch`; without one no rate changes. `parameters()` are the classifiers'.
    """

    factor: Tensor
    utilisation: Tensor

    def __init__(
        self,
        classifiers: Mapping[str, nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        mu: float = 0.5,
        tau: float = 0.2,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        _checks.within("mu", mu, 0, 1)
        _checks.within("tau", tau)
        if len(classifiers) < 2:
            raise ValueError(f"classifiers has {sorted(classifiers)}; balancing needs at least 2 modalities")
        self.unimodal = UnimodalLosses(classifiers, loss, weight=weight)
        self._names, self._score = sorted(classifiers), (score,)
        self.mu, self.tau = mu, tau
        device = next(self.unimodal.parameters()).device
        self.register_buffer("factor", torch.ones(len(self._names), device=device))
        self.register_buffer("utilisation", torch.zeros(len(self._names), dtype=precise(device), device=device))

    def penalty(self, step: Step) -> Tensor | float:
        """weight * the sum of the classifiers' losses, in the graph."""
        return self.unimodal.penalty(step)

    def modulate_(self, step: Step) -> Record:
        """Logs `unimodal_loss`, `rate` and `utilisation` (u, of the epoch before) per modality."""
        logged = {"rate": self.factor.clone(), "utilisation": self.utilisation.clone()}
        named = {key: dict(zip(self._names, values.unbind(), strict=True)) for key, values in logged.items()}
        return {**self.unimodal.modulate_(step), **named}

    def rates(self) -> dict[str, Tensor]:
        """mu or 1 per modality."""
        return dict(zip(self._names, self.factor.unbind(), strict=True))

    @torch.no_grad()
    def end_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Measure the utilisation, and set the rates of the next epoch."""
        if probe is None:
            return
        everything, *without = validated(probe, self, self._scores).unbind()
        self.utilisation.copy_(utilisation(everything, torch.stack(without)))
        self.factor.copy_(slowed(self.utilisation, self.mu, self.tau))

    def _scores(self, step: Step) -> list[Tensor]:
        logits = [step.logits, *(self._without(name, step) for name in self._names)]
        return [self._score[0](each, step.target) for each in logits]

    def _without(self, name: str, step: Step) -> Tensor:
        if len(self._names) == 2:
            [other] = set(self._names) - {name}
            logits: Tensor = self.unimodal.classifiers[other](step.features[other])
            return logits
        if step.rerun is None:
            raise ValueError(
                "with more than two modalities MILES needs Step(rerun=...): logits with the named modalities' features "
                "set to zero"
            )
        return step.rerun([name])


def utilisation(everything: Tensor, without: Tensor) -> Tensor:
    """u_m = (S(all) - S(without m)) / S(all), (M,); zeros where S(all) is not above 0."""
    usable = everything.clamp_min(torch.finfo(everything.dtype).tiny)
    return torch.where(everything > 0, (everything - without) / usable, 0.0)


def slowed(found: Tensor, mu: float, tau: float) -> Tensor:
    """mu for the largest u_m, 1 for the others; 1 for all where they are close or all negative. (M,) to (M,)."""
    apart = (found.max() - found.min() > tau) & (found >= 0).any()
    return torch.where(apart & (found == found.max()), mu, 1.0)
