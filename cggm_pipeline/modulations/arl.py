"""Asymmetric representation learning (Wei et al., ICCV 2025, arXiv 2507.10203)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._checks import modalities, one_of, within
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations._unimodal import at_the_targets_size, true_class_probabilities, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

Form = Literal["paper", "released"]

LEAST_SHARE = 0.3
"""The released code's floor of a modality's share of the entropy."""


class ARL(Modulation):
    """Lets the encoders' gradients follow how certain each modality is, instead of making the modalities equal.

    L <- L + gamma sum_m L(u_m, y);   grad_m <- (1 + a_m) grad_m;   H_m = mean entropy of softmax(u_m);   q_m = 1 / H_m
    form "paper":     (a_0, a_1) = softmax(T q_0 / q_1, T d_0 / d_1),      d_m = mean_i softmax(u_m)[i, y_i]
    form "released":  (a_0, a_1) = softmax(T q'_0 d'_1, T q'_1 d'_0),      d_m = mean_i sum_c |u_m[i, c]|
                      d' = d / sum(d);   q' = share of 1 / max(H_m / sum(H), 0.3)
    Both give modality 0 more where q_0 / q_1 > d_0 / d_1: its dependence d is to follow its certainty q.

    More than two modalities, ours: a_m is the mean over j != m of what the pair (m, j) gives. Modalities are numbered
    by name: in the printed form exchanging 0 and 1 changes more than the names.
    u_m = W_m z_m + b/M where the head reads a concatenation, else `step.rerun` with the others at zero, in the graph:
    the unimodal losses train encoders, fusion and head, and no parameter is added. Before `start_epoch` the gradients
    are left alone and the unimodal losses have weight 1, as in the released code.

    Left out: the released code applies the a of the step before, takes all of b for u_m, and clips gradients at 40.
    The entropy is printed without its minus sign; we take it with one, as the code does.
    """

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        temperature: float = 8.0,
        gamma: float = 4.0,
        form: Form = "paper",
        start_epoch: int = 0,
    ) -> None:
        super().__init__()
        one_of("form", form, get_args(Form))
        within("temperature", temperature)
        within("gamma", gamma)
        self._parts, self._names = parts, modalities(parts)
        self._head, self._loss = (checked(head, "head"),), (loss,)
        self.temperature, self.gamma, self.form, self.first = temperature, gamma, form, start_epoch
        self._tally = Tally()

    def penalty(self, step: Step) -> Tensor | float:
        """gamma * the sum of the unimodal losses, in the graph; takes entropies and dependences."""
        logits = unimodal_logits(self._head[0], self._names, step)
        losses = torch.stack([self._loss[0](own, step.target) for own in logits])
        with torch.no_grad():
            read = [at_the_targets_size(own.detach(), step.target) for own in logits]
            entropies = torch.stack([entropy(own) for own in read])
            dependences = torch.stack([self._dependence(own, step.target) for own in read])
        self._tally.add(torch.cat([entropies, dependences, losses.detach().double()]) * step.count, step.count)
        return losses.sum() * (self.gamma if step.epoch >= self.first else 1.0)

    def _dependence(self, logits: Tensor, target: Tensor) -> Tensor:
        if self.form == "paper":
            return true_class_probabilities(logits, target).double().mean()
        return logits.double().abs().sum(1).mean()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs per modality `entropy` (H), `score` (d), `unimodal_loss`, `factor` (1 + a), `grad_norm` (before it)."""
        entropies, dependences, losses = self._tally.means().chunk(3)
        norms = torch.stack([self._parts.gradient_norm(name) for name in self._names])
        factors = 1 + weights(entropies, dependences, self.temperature, self.form)
        if step.epoch < self.first:
            factors = torch.ones_like(factors)
        else:
            self._parts.scale_(dict(zip(self._names, factors, strict=True)))
        logged = {"entropy": entropies, "score": dependences, "unimodal_loss": losses}
        logged |= {"grad_norm": norms, "factor": factors}
        return {what: dict(zip(self._names, values, strict=True)) for what, values in logged.items()}


def entropy(logits: Tensor) -> Tensor:
    """The mean over samples (and places) of the entropy of softmax(logits), in nats: (B, C, ...) to a scalar."""
    certain = logits.double().log_softmax(1)
    return -(certain.exp() * certain).sum(1).mean()


def weights(entropies: Tensor, dependences: Tensor, temperature: float, form: Form) -> Tensor:
    """a_m from H_m and d_m, (M,) to (M,): the mean over the pairs that m is in. Sums to M/2."""
    least = torch.finfo(entropies.dtype).eps
    rule = {"paper": _printed, "released": _released}[form]
    edge = rule(entropies.clamp_min(least), dependences.clamp_min(least))
    upper = torch.sigmoid(temperature * edge).triu(1)  # of two values softmax is the sigmoid of their difference
    pairs = upper + (1 - upper).triu(1).T
    return pairs.sum(1) / (len(entropies) - 1)


def _printed(entropies: Tensor, dependences: Tensor) -> Tensor:
    """q_i / q_j - d_i / d_j, by i and j."""
    return entropies / entropies[:, None] - dependences[:, None] / dependences


def _released(entropies: Tensor, dependences: Tensor) -> Tensor:
    """q'_i d'_j - q'_j d'_i, by i and j, with the shares within each pair."""
    share = (entropies[:, None] / (entropies[:, None] + entropies)).clamp_min(LEAST_SHARE)
    certainty = share.T / (share + share.T)  # 1 / share_i, over the sum of both
    dependence = dependences[:, None] / (dependences[:, None] + dependences)
    return certainty * dependence.T - certainty.T * dependence
