"""Modality-balanced self-distillation (Liu et al. 2023; its rule as BalanceBenchmark states it)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._unimodal import at_the_targets_size, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Record, Step


class MBSD(Modulation):
    """Every modality learns the classes by itself, and modalities that disagree about the true class learn to agree.

    L <- L + sum_m L(u_m, y) + mean over pairs (a, b) of R_ab
    R_ab = (1/B) sum_i w_i [ (1/C) |p_a - p_b|^2 + KL(p_w || p_s) ]_i
    w_i = |p_a(y_i) - p_b(y_i)| where argmax u_a or argmax u_b is y_i, else 0;  p_m = softmax(u_m)
    p_s: the one of p_a, p_b with the larger probability of the true class, p_w: the other

    u_m = W_m z_m + b/M where the head reads a concatenation (`step.blocks`, or feature tensors whose widths add up to
    the head's input), otherwise `step.rerun` with the other modalities at zero. On maps i runs over pixels. Nothing is
    a constant: w_i, p_s and p_w have gradients, as in the benchmark. `loss(logits, target)`: a scalar.

    The paper could not be consulted: the rule is that of the benchmark, whose divergence compares two numbers and lacks
    a logarithm, so that it is no divergence; here it is the one between the two distributions that its formula means.
    The distance is the benchmark's for three modalities; for two it has logits there, whose squares have no bound.
    """

    def __init__(self, head: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self._head = (checked(head, "head"),)
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self._seen: list[Tensor] = []
        self._names: list[str] = []

    def penalty(self, step: Step) -> Tensor | float:
        """The modalities' own losses and the mean of R over pairs, in the graph."""
        self._names = sorted(step.features)
        own = unimodal_logits(self._head[0], self._names, step)
        losses = torch.stack([self._loss[0](logits, step.target) for logits in own])
        sized = [at_the_targets_size(logits, step.target) for logits in own]
        apart = torch.stack([disagreement(one, other, step.target) for one, other in combinations(sized, 2)]).mean()
        self._seen.append(torch.cat([losses, apart.to(losses.dtype).unsqueeze(0)]).detach())
        return losses.sum() + apart

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Edits nothing; logs `unimodal_loss` and `disagreement`, the mean of R: of this process's micro-batches."""
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        means = torch.stack(seen).mean(0)
        return {"unimodal_loss": dict(zip(self._names, means[:-1], strict=True)), "disagreement": means[-1]}


def disagreement(one: Tensor, other: Tensor, target: Tensor) -> Tensor:
    """R of two modalities: logits (B, C, ...), target (B, ...) of class indices; a scalar."""
    true = target.long().unsqueeze(1)
    logs = torch.stack([one.log_softmax(1), other.log_softmax(1)])
    first, second = (log.gather(1, true).exp() for log in logs)
    right = (one.argmax(1, keepdim=True) == true) | (other.argmax(1, keepdim=True) == true)
    weight = (first - second).abs() * right
    ahead = first >= second
    strong, weak = torch.where(ahead, logs[0], logs[1]), torch.where(ahead, logs[1], logs[0])
    distance = (logs[0].exp() - logs[1].exp()).square().mean(1, keepdim=True)
    divergence = (weak.exp() * (weak - strong)).sum(1, keepdim=True)
    mean: Tensor = (weight * (distance + divergence)).mean()
    return mean
