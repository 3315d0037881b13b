"""Adaptive gradient modulation (Li et al., ICCV 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations._checks import modalities, within
from cggm_pipeline.modulations._guidance import guided
from cggm_pipeline.modulations._head import full_precision
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations._unimodal import at_the_targets_size
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

LARGEST = -math.log(1e-8)
"""The cross-entropy of the least probability that a score can have."""


class AGM(Modulation):
    """Splits the logits into each modality's Shapley share and scales what flows back through each of them.

    phi_m = sum over S without m of |S|! (M - |S| - 1)! / M! (f(S and m) - f(S)),   f(nothing) = 0
            M = 2:  phi_a = (f(a, v) - f(v) + f(a)) / 2;   always  sum_m phi_m = f(all)
    s_m = mean_i -log max(softmax(phi_m)[i, y_i], 1e-8);   tau_m: mean of s_m over all steps before
    r_m = exp(M / (M - 1) (mean(s) - s_m)),   rhat_m the same of tau;   kappa_m = exp(alpha min(rhat_m - r_m, cap))
    L <- L(sum_m phi_m, y), the gradient through phi_m times kappa_m: encoders, fusion and head alike

    f(S) = `step.rerun` of the modalities outside S: their *features* are zero (the original pads inputs and runs the
    network in eval mode; here dropout in the fusion stays on), fusion and head run 2^M - 2 times more. `objective`
    replaces the loss that it is given by `loss(sum_m phi_m, target)`, of the same value. A modality whose loss has been
    relatively small lately is slowed, one whose loss is large is sped up; in the first step rhat is 1, as in the
    released code. alpha 0 does nothing. `cap` None: none; a kappa beyond float32 makes the number that is returned NaN.

    Targets that are values have no true class: there s_m = min(loss(phi_m, y), -log 1e-8), which is ours. With
    accumulation kappa is each micro-batch's own, of the means over the step so far; tau takes the whole step's. The
    clipping of the released code (norm 1 where the head's gradient exceeds 1) is the training's affair.
    """

    tau: Tensor
    steps: Tensor

    def __init__(
        self,
        parts: Parts,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        alpha: float = 1.5,
        cap: float | None = 10.0,
    ) -> None:
        super().__init__()
        within("alpha", alpha)
        within("cap", math.inf if cap is None else cap)
        self._parts, self._names, self._loss = parts, modalities(parts), (loss,)
        self.alpha, self.cap = alpha, cap
        self._weights = shapley(len(self._names))
        self.register_buffer("tau", torch.zeros(len(self._names), dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64))
        self._tally = Tally()

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """loss(sum_m phi_m, target), each phi_m behind its kappa_m."""
        if self.alpha == 0:
            return loss
        shares = self.shares(step)
        with torch.no_grad():
            scores = torch.stack([self._score(share.detach(), step.target) for share in shares])
        self._tally.add(scores * step.count, step.count)
        sums, count = self._tally.sums()
        factors = self._factors(sums / count.clamp_min(torch.finfo(count.dtype).tiny))
        gated = torch.stack([guided(share, factor) for share, factor in zip(shares, factors, strict=True)])
        return self._loss[0](gated.sum(0), step.target)

    def shares(self, step: Step) -> list[Tensor]:
        """phi_m by sorted name, in the graph; their sum is `step.logits`. ValueError without `step.rerun`."""
        if step.rerun is None:
            raise ValueError("AGM needs Step(rerun=...), logits with the named modalities' features set to zero")
        shares = [torch.zeros((), device=step.logits.device)] * len(self._names)
        for subset, weights in self._weights.items():
            absent = [name for i, name in enumerate(self._names) if i not in subset]
            (prediction,) = full_precision([step.rerun(absent) if absent else step.logits])
            shares = [share + weight * prediction for share, weight in zip(shares, weights, strict=True)]
        return shares

    def _score(self, logits: Tensor, target: Tensor) -> Tensor:
        if target.is_floating_point():
            return self._loss[0](logits, target).double().clamp_max(LARGEST)
        logits = at_the_targets_size(logits, target)
        return functional.cross_entropy(logits, target.long(), reduction="none").clamp_max(LARGEST).double().mean()

    def _factors(self, scores: Tensor) -> Tensor:
        change = relative(self.tau.to(scores.device)) - relative(scores)
        return torch.exp(self.alpha * (change if self.cap is None else change.clamp_max(self.cap)))

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs per modality `score` (s), `factor` (kappa, of the whole step), `grad_norm`; takes s into tau."""
        if self.alpha == 0:
            return {}
        scores = self._tally.means()
        factors = self._factors(scores)
        self.steps += 1
        self.tau += (scores - self.tau) / self.steps
        norms = torch.stack([self._parts.gradient_norm(name) for name in self._names])
        logged = {"score": scores, "factor": factors, "grad_norm": norms}
        return {what: dict(zip(self._names, values, strict=True)) for what, values in logged.items()}


def relative(scores: Tensor) -> Tensor:
    """r_m = exp(M / (M - 1) (mean(s) - s_m)), (M,) to (M,): with two modalities exp(s_other - s_m)."""
    return torch.exp(len(scores) / (len(scores) - 1) * (scores.mean() - scores))


def shapley(number: int) -> dict[tuple[int, ...], list[float]]:
    """What the value of each subset of players, the empty one left out, counts for in each player's Shapley share."""
    players = range(number)
    subsets = [subset for size in range(1, number + 1) for subset in combinations(players, size)]
    weight = [math.factorial(n) * math.factorial(number - n - 1) / math.factorial(number) for n in players]
    return {s: [weight[len(s) - 1] if player in s else -weight[len(s)] for player in players] for s in subsets}
