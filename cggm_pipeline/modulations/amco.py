"""Adaptive mask co-optimisation (Zhou et al., ICASSP 2023; its rule as BalanceBenchmark states it)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._unimodal import unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step


class AMCo(Modulation):
    """The modality that the prediction depends on loses some of its class logits, more and more of them in an epoch.

    L <- L(sum_m u'_m, y) + sum_m L(u'_m, y)
    u'_m = u_m with int(p_t C) random class logits at 0 where m is depended on, else u_m
    m is depended on in step t+1 where its mass in step t, mean_i sum_c softmax([u'_1 .. u'_M])[i, m, c], is above sigma
    p_t = sin(pi/2 min(epsilon, l_t)/epsilon),  l_t = t epoch/10 in step t of an epoch: none in epoch 0

    u_m = W_m z_m + b/M where the head reads a concatenation (`step.blocks`, or feature tensors whose widths add up to
    the head's input): their sum is the logits. Otherwise (ours) u_m is `step.rerun` with the other modalities at zero,
    and instead of the sum stands f + sum_m (u'_m - u_m), f the logits. The same classes are masked for every sample of
    a step. They are drawn from torch's global generator of the logits' device; `Step` needs `epoch` and `index`.
    `parts` names the modalities. `loss(logits, target)`: a scalar.

    The paper could not be consulted: the rule is that of the benchmark, without the linear layer from classes to
    classes that it puts behind the sum of the masked logits. The network that is left at inference says the same with
    and without such a layer; in training, masks before and behind it are not the same.
    """

    _dependent: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        sigma: float = 0.5,
        epsilon: float = 0.3,
    ) -> None:
        super().__init__()
        if not 0 < sigma < 1 or epsilon <= 0:
            raise ValueError(f"sigma is {sigma}, epsilon is {epsilon}; allowed: sigma in (0, 1), epsilon above 0")
        self._head = (checked(head, "head"),)
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self._names = sorted(parts.names)
        self.sigma, self.epsilon = sigma, epsilon
        self.register_buffer("_dependent", torch.zeros(len(self._names), dtype=torch.bool))
        self._kept: Tensor | None = None
        self._seen: list[Tensor] = []

    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Nothing is depended on yet."""
        self._dependent.zero_()

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The loss of the masked logits, and every modality's own of its."""
        own = unimodal_logits(self._head[0], self._names, step)
        masked = self._masked(own, step)
        self._take_masses(masked, step)
        joint = step.logits + torch.stack(masked).sum(0) - torch.stack(own).sum(0)
        return torch.stack([self._loss[0](logits, step.target) for logits in (joint, *masked)]).sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Edits no gradient; logs per modality `mass`, and `masked`, the share of its class logits that was masked."""
        if not self._seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        seen, self._seen = torch.stack(self._seen).sum(0), []
        _distributed.mean_([seen])
        mass = seen[:-1] / seen[-1]
        share = self._dependent * (0.0 if self._kept is None else (~self._kept).double().mean().to(mass))
        self._dependent.copy_(mass > self.sigma)
        self._kept = None
        return {name: dict(zip(self._names, value, strict=True)) for name, value in [("mass", mass), ("masked", share)]}

    def _masked(self, own: list[Tensor], step: Step) -> list[Tensor]:
        classes = own[0].shape[1]
        number = int(masked_share(step.epoch, step.index, self.epsilon) * classes)
        if not number:
            return own
        if self._kept is None:  # once per optimiser step: every micro-batch and every process masks the same classes
            drawn = torch.randperm(classes, device=own[0].device)
            self._kept = _distributed.first_(drawn) >= number
        kept = self._kept.view(-1, *[1] * (own[0].dim() - 2))
        return [
            logits.masked_fill(~kept & dependent, 0) for logits, dependent in zip(own, self._dependent, strict=True)
        ]

    @torch.no_grad()
    def _take_masses(self, masked: list[Tensor], step: Step) -> None:
        logits = torch.stack([each.detach().double() for each in masked], 1)  # (B, M, C, ...)
        shares = logits.flatten(1, 2).softmax(1).view_as(logits).sum(2)
        masses = shares.transpose(0, 1).flatten(1).mean(1)
        self._seen.append(torch.cat([masses * step.count, masses.new_full((1,), step.count)]))


def masked_share(epoch: int, index: int, epsilon: float) -> float:
    """p_t in step `index` of `epoch`."""
    return math.sin(math.pi / 2 * min(epsilon, index * epoch / 10) / epsilon)
