"""Information acquisition regulation (Huang et al., CVPR 2025, arXiv 2503.18595)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, distributed, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._checks import modalities, one_of, within
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._ratios import lead
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations._unimodal import true_class_probabilities, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step

Form = Literal["paper", "released"]


class InfoReg(Modulation):
    """Holds the encoder of the modality that is ahead near where the epoch began, while information still flows in.

    L <- L + sum_m L(u_m, y);   grad_m <- grad_m + alpha_m (theta_m - theta_m at the epoch's start)
    alpha_m > 0 where Delta_m > 0 and m is in its prime window, else 0;   Delta_m = mean of s_m - s_j over s_j < s_m
    prime window of epoch t:  (F_{t-1} - F_{t-2}) / F_{t-1} > threshold;   always open in epoch 0 (F before it is 0)

    form "paper":     s_m = mean_i log softmax(u_m)[i, y_i];   alpha_m = exp(beta tanh Delta_m)
                      F_m = mean over the epoch's steps of |grad_m|^2, of the losses alone
    form "released":  s_m = sum_i softmax(u_m)[i, y_i];        alpha_m = beta exp(tanh Delta_m)
                      F_m = sum over weights of the mean squared gradient, with the term above; mean of ten epochs

    F_m estimates the trace of the Fisher information, E |d log p / d theta_m|^2, from the gradients that the steps have
    anyway, as the released code does; the squared gradient of a batch's mean, so that its scale depends on the batch
    size, which cancels in the window. s_m is printed as E[-log softmax(u_m)_y]: with it the modality that is *behind*
    would be held, so we take it without the minus sign. u_m = W_m z_m + b/M where the head reads a concatenation, else
    `step.rerun` with the others at zero.

    Left out: the released code reads one window, of the audio trace, for both modalities, and cannot reach its rule for
    the visual one; here every modality has its own. Call `start_epoch` and `end_epoch`; without them the first epoch
    never ends. The encoders' weights at the epoch's start are kept in the state: as much memory as the encoders.
    """

    traces: Tensor
    trace: Tensor
    prime: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        beta: float = 0.9,
        threshold: float = 0.04,
        form: Form = "paper",
    ) -> None:
        super().__init__()
        one_of("form", form, get_args(Form))
        within("beta", beta)
        within("threshold", threshold, -float("inf"))
        self._parts, self._names = parts, modalities(parts)
        self._head, self._loss = (checked(head, "head"),), (loss,)
        self.beta, self.threshold, self.form = beta, threshold, form
        number, epochs = len(self._names), {"paper": 1, "released": 10}[form]
        for place, parameter in self._places():
            self.register_buffer(place, parameter.detach().clone())
        self.register_buffer("traces", torch.zeros(number, epochs + 1, dtype=torch.float64))
        self.register_buffer("trace", torch.zeros(number + 1, dtype=torch.float64))  # sums, and the number of steps
        self.register_buffer("prime", torch.ones(number, dtype=torch.bool))
        self._tally = Tally()

    def _places(self) -> list[tuple[str, nn.Parameter]]:
        """The buffer of every encoder parameter."""
        owned = enumerate(self._names)
        return [(f"start_{i}_{j}", p) for i, name in owned for j, p in enumerate(self._parts.parameters(name))]

    @torch.no_grad()
    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Remember the encoders' weights."""
        for place, parameter in self._places():
            self.get_buffer(place).copy_(parameter)

    def penalty(self, step: Step) -> Tensor | float:
        """The sum of the unimodal losses, in the graph; takes the scores."""
        logits = unimodal_logits(self._head[0], self._names, step)
        losses = torch.stack([self._loss[0](own, step.target) for own in logits])
        with torch.no_grad():
            scores = torch.stack([self._score(own.detach(), step.target) for own in logits])
        self._tally.add(torch.cat([scores, losses.detach().double()]) * step.count, step.count)
        return losses.sum()

    def _score(self, logits: Tensor, target: Tensor) -> Tensor:
        sure = true_class_probabilities(logits, target).double()
        return (sure.clamp_min(1e-30).log() if self.form == "paper" else sure).mean()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs per modality `score` (its mean), `unimodal_loss`, `strength` (alpha), `grad_norm` (before the term)."""
        sums, count = self._tally.take()
        score, losses = (sums / count).chunk(2)
        norms = torch.stack([self._parts.gradient_norm(name) for name in self._names])
        strength = self._strength(score if self.form == "paper" else score * count * _processes())
        if self.form == "paper":
            self._take_trace(norms.double() ** 2)
        self._hold_(strength)
        if self.form == "released":
            self._take_trace(torch.stack([self._mean_squares(name) for name in self._names]))
        logged = {"score": score, "unimodal_loss": losses, "strength": strength, "grad_norm": norms}
        return {what: dict(zip(self._names, values, strict=True)) for what, values in logged.items()}

    def _strength(self, score: Tensor) -> Tensor:
        gap = lead(score)
        rule = {"paper": torch.exp(self.beta * gap.tanh()), "released": self.beta * torch.exp(gap.tanh())}
        return torch.where((gap > 0) & self.prime, rule[self.form], 0.0)

    def _hold_(self, strength: Tensor) -> None:
        """grad += alpha (theta - theta_start)."""
        for i, name in enumerate(self._names):
            parameters = self._parts.parameters(name)
            moving = [(p, self.get_buffer(f"start_{i}_{j}")) for j, p in enumerate(parameters) if p.grad is not None]
            if moving:
                moved = torch._foreach_sub([p.detach() for p, _ in moving], [start for _, start in moving])
                torch._foreach_mul_(moved, strength[i])
                torch._foreach_add_(self._parts.gradients(name), list(moved))

    def _mean_squares(self, name: str) -> Tensor:
        """The sum over weights (no biases, no scales of normalisations) of their mean squared gradient."""
        squares = [g.double().square().mean() for g in self._parts.gradients(name) if g.dim() > 1]
        return torch.stack(squares).sum() if squares else self.trace.new_zeros(())

    def _take_trace(self, squares: Tensor) -> None:
        """A step with a gradient that is not finite (which a scaler skips) counts nothing."""
        row = torch.cat([squares, squares.new_ones(1)])
        self.trace += torch.where(squares.isfinite().all(), row, torch.zeros_like(row))

    @torch.no_grad()
    def end_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Close the epoch's trace and see which modalities are still in their prime window."""
        latest = self.trace[:-1] / self.trace[-1].clamp_min(1)
        self.traces.copy_(torch.cat([self.traces[:, 1:], latest[:, None]], 1))
        new, old = self.traces[:, 1:].mean(1), self.traces[:, :-1].mean(1)
        self.prime.copy_(new - old > self.threshold * new)
        self.trace.zero_()


def _processes() -> int:
    return distributed.get_world_size() if _distributed.several() else 1
