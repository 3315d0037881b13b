"""Prototypical modal rebalance (Fan et al., CVPR 2023, arXiv 2211.07089)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _checks
from cggm_pipeline.modulations._head import checked, size
from cggm_pipeline.modulations._prototypes import Prototypes
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step

Form = Literal["paper", "released"]


class PMR(Modulation):
    """Pulls the features of modalities that are behind towards the prototypes of their classes.

    L <- L + alpha sum_m b_m CE(p_m, y) - mu sum_m e_m H(p_m),   p_m = softmax_k(-|z_m - c_mk|_2)
    b_m = mean over j != m of clip(s_j / s_m - 1, 0, 1),   e_m = mean over j != m of clip(s_m / s_j - 1, 0, 1)
    s_m = sum_i p_m(y_i);  the entropy term H only in epochs below `entropy_epochs`

    Two modalities: exactly the paper's beta, gamma and PER. More: the mean over pairs is ours. form "released": b_m =
    mean over j != m of [s_j > s_m], and no entropy term, as in the released code.

    c_mk: mean of z_m over the samples of class k in `share` of the training split, taken in eval mode before every
    epoch, c <- momentum c_old + (1 - momentum) c_new (the first time c_new). A class without a sample keeps its
    prototype; one that never had any gets probability 0, and its samples add nothing to the pull.

    z_m: (B, D), or tokens (B, T, D), of which the real ones are averaged (ours). Targets are class indices, one per
    sample: per-pixel prototypes for segmentation are not in the paper and not done. s is summed over the optimiser
    step's samples so far and over all processes. The paper's number of epochs with the entropy term was not available,
    the default is ours.

    Needs the probe that a loop hands to `start_epoch`; without one it adds nothing.
    """

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        *,
        form: Form = "paper",
        alpha: float = 1.0,
        mu: float = 0.01,
        entropy_epochs: int = 10,
        momentum: float = 0.2,
        share: float = 0.1,
    ) -> None:
        super().__init__()
        self._names = _checks.modalities(parts)
        _checks.one_of("form", form, get_args(Form))
        for what, value in {"alpha": alpha, "mu": mu}.items():
            _checks.within(what, value)
        for what, value in {"momentum": momentum, "share": share}.items():
            _checks.within(what, value, 0, 1)
        self.form, self.alpha, self.momentum, self.share = form, alpha, momentum, share
        self.mu, self.entropy_epochs = (mu, entropy_epochs) if form == "paper" else (0.0, 0)
        checked_head = checked(head, "head")
        self.prototypes = Prototypes(self._names, size(checked_head)[0], checked_head.weight.device)
        self.off = alpha == 0 and not (self.mu and self.entropy_epochs)
        self._mass = Tally()

    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Move the prototypes."""
        if probe is not None and not self.off:
            self.prototypes.update_(probe.steps("train", self.share), self.momentum)

    def penalty(self, step: Step) -> Tensor | float:
        """alpha * the pull, minus mu * the entropy in the first epochs; 0 as long as there are no prototypes."""
        if not self.prototypes.there:
            return 0.0
        log_p = self.prototypes.log_probabilities(step.features)
        target = step.target.long()
        true = log_p.gather(2, target.expand(len(log_p), -1).unsqueeze(2)).squeeze(2)
        known = self.prototypes.known[target]
        true = torch.where(known, true, 0.0)
        self._mass.add((true.detach().exp() * known).sum(1), step.count)
        behind, ahead = distances(self._mass.sums()[0], self.form)
        total = -self.alpha * (behind * true.mean(1)).sum()
        if self.mu and step.epoch < self.entropy_epochs:
            entropy = -(log_p.exp() * log_p).sum(2).mean(1)
            total = total - self.mu * (ahead * entropy).sum()
        return total

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Changes no gradient; logs `score` (mean p_m(y)) and `pull` (b) per modality."""
        if not self.prototypes.there:
            return {}
        mass, count = self._mass.take()
        named = {"score": mass / count, "pull": distances(mass, self.form)[0]}
        return {key: dict(zip(self._names, values, strict=True)) for key, values in named.items()}


def distances(mass: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """b (how far each modality is behind the others) and e (how far ahead) from s, (M,) each."""
    tiny = torch.finfo(mass.dtype).tiny
    behind = (mass[None, :] / mass.clamp_min(tiny)[:, None] - 1).clamp(0, 1)  # row m, column j: clip(s_j / s_m - 1)
    if form == "released":
        behind = (mass[None, :] > mass[:, None]).to(mass.dtype)
    others = len(mass) - 1
    return behind.sum(1) / others, behind.sum(0) / others
