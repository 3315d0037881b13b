"""On-the-fly prediction modulation (Wei et al., TPAMI 2024, arXiv 2410.11582)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._checks import modalities, within
from cggm_pipeline.modulations._features import mapped, tensors
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._ratios import ratio_to_others
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations._unimodal import true_class_probabilities, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step


class OPM(Modulation):
    """Drops the features of the modality that is ahead, sample by sample, before fusion.

    s_m = sum_i softmax(u_m)[i, y_i];   r_m = mean over j != m of s_m / s_j;   both of step t
    q_m = min(q_base (1 + lam tanh(r_m - 1)), 1)   where r_m > 1, else 0;      for step t + 1
    h_m[i] <- 0 with probability q_m, independently for every sample i and modality m
    h_m    <- h_m / (1 - theta),   theta = sum_m d_m q_m / sum_m d_m,   d_m: the number of entries of h_m[i]

    The weakest modality has r_m <= 1, so q_m = 0: no sample ever loses all of its modalities, and theta < 1. Nothing is
    dropped in eval mode, in the first step and before `start_epoch`; with probability 1 - `execute` a batch is left as
    it is, without the scale. `mask` must have been called on the features before fusion, and `Step` needs what it
    returned. u_m as in `OGMGE`; `parts` gives the names. s_m counts the samples of which nothing was dropped (a dropped
    feature says nothing), at the scale of whole features where the head reads a concatenation; if a step has no such
    sample, q stays; but a q of 1, after which there would never be one again, gives way to 0. Draws are torch's global
    generator's of the features' device, one's own in each process.

    Left out: the released code takes q from the scores of the same batch, which the features alone cannot tell.
    """

    drop: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        *,
        q_base: float = 0.5,
        lam: float = 0.5,
        execute: float = 1.0,
        start_epoch: int = 0,
    ) -> None:
        super().__init__()
        within("q_base", q_base, 0, 1)
        within("lam", lam)
        within("execute", execute, 0, 1)
        self._names, self._head = modalities(parts), (checked(head, "head"),)
        self.q_base, self.lam, self.execute, self.first = q_base, lam, execute, start_epoch
        self._off = 0 in (q_base, execute)
        self.register_buffer("drop", torch.zeros(len(self._names)))
        self._tally = Tally()
        self._latest: tuple[Tensor, Tensor] | None = None

    def mask(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """The features with some samples' modalities set to zero, and scaled; as they are in eval mode."""
        if self._off or not self.training:
            return features
        parts = {name: tensors(features[name]) for name in self._names}
        first = parts[self._names[0]][0]
        widths = [sum(tensor[0].numel() for tensor in parts[name]) for name in self._names]
        chances = torch.rand(len(self._names), len(first), device=first.device)
        executed = torch.rand((), device=first.device) < self.execute
        drop = self.drop.to(first.device) * executed
        kept = chances >= drop[:, None]
        theta = torch.stack([share * (width / sum(widths)) for share, width in zip(drop, widths, strict=True)]).sum()
        scale = 1 / (1 - theta)
        self._latest = kept.all(0), scale
        factors = dict(zip(self._names, kept * scale, strict=True))
        return {name: scaled(each, factors[name]) if name in factors else each for name, each in features.items()}

    @torch.no_grad()
    def penalty(self, step: Step) -> Tensor | float:
        """Adds nothing to the loss; takes this micro-batch's scores."""
        if self._off or step.epoch < self.first:
            return 0.0
        size = len(step.target)
        if self._latest is None:
            raise RuntimeError("penalty was called without mask: call mask on the features before they are fused")
        (whole, scale), self._latest = self._latest, None
        plain = replace(step, fused=step.fused / scale.to(step.fused.dtype))
        sure = [true_class_probabilities(u, step.target) for u in unimodal_logits(self._head[0], self._names, plain)]
        by_sample = torch.stack([each.double().reshape(size, -1).mean(1) for each in sure])
        counted = whole * (step.count > 0)
        self._tally.add((by_sample * counted).sum(1), counted.sum())
        return 0.0

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Decide what the next step drops. Logs per modality `score` (mean true-class probability) and `drop` (q)."""
        if self._off or step.epoch < self.first:
            return {}
        mass, count = self._tally.take()
        dropping = chance(ratio_to_others(mass), self.q_base, self.lam)
        staying = self.drop * (self.drop.max() < 1)  # where nothing can be whole, nothing would ever be again
        self.drop.copy_(torch.where(count > 0, dropping, staying.to(dropping.dtype)))
        score = dict(zip(self._names, mass / count.clamp_min(torch.finfo(count.dtype).tiny), strict=True))
        return {"score": score, "drop": dict(zip(self._names, self.drop.clone(), strict=True))}


def chance(ratio: Tensor, q_base: float, lam: float) -> Tensor:
    """q_m from r_m, elementwise."""
    return torch.where(ratio > 1, (q_base * (1 + lam * torch.tanh(ratio - 1))).clamp_max(1), 0.0)


def scaled(features: Any, factor: Tensor) -> Any:
    """Every sample's entries times its factor, (B,)."""
    return mapped(features, lambda tensor: tensor * factor.to(tensor.dtype).view(-1, *[1] * (tensor.dim() - 1)))
