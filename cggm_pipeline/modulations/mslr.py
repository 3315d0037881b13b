"""Modality-specific learning rates (Yao & Mihalcea, Findings of ACL 2022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _checks
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._preset import precise
from cggm_pipeline.modulations._unimodal import unimodal_logits
from cggm_pipeline.modulations._validation import validated
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Step

Form = Literal["keep", "smooth", "dynamic"]


class MSLR(Modulation):
    """Gives each modality's encoder a learning rate of its own; fusion and head keep the global one.

    lr(encoder m) <- k_m lr, through the optimiser's parameter groups (`rates`): Adam would undo a factor on gradients.

    keep     k_m = r_m                                                      each modality's best rate alone, over lr
    smooth   k_m = (1 - smoothing) r_m + smoothing mean_j r_j               ours: the paper has no formula
    dynamic  k_m = r_m s_m(t-1) / mean(s_m(t-1-window), ..., s_m(t-2))      in epoch t

    r_m: `rates`, 1 for a modality that is not named. s_m(t): `score(u_m, y)`, more is better, over the validation split
    at the end of epoch t, u_m as for OGM-GE. k_m = r_m as long as fewer than `window` scores came before the last one,
    and where their mean is not above 0. The paper's models are late fusions; any other fusion is ours.

    "dynamic" needs the probe that a loop hands to `end_epoch`; without one k_m stays r_m.
    """

    factor: Tensor
    scores: Tensor
    seen: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        form: Form = "dynamic",
        rates: Mapping[str, float] | None = None,
        smoothing: float = 0.5,
        window: int = 5,
    ) -> None:
        super().__init__()
        self._names = _checks.modalities(parts)
        _checks.one_of("form", form, get_args(Form))
        _checks.within("smoothing", smoothing, 0, 1)
        _checks.within("window", window, 1)
        self._base = starting(self._names, rates or {}, smoothing if form == "smooth" else 0.0)
        self._head, self._score = (checked(head, "head"),), (score,)
        self.dynamic = form == "dynamic"
        self.off = not self.dynamic and set(self._base) == {1.0}
        device = self._head[0].weight.device
        self.register_buffer("factor", torch.tensor(self._base, device=device))
        self.register_buffer("scores", torch.zeros(window, len(self._names), dtype=precise(device), device=device))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64, device=device))

    def rates(self) -> Mapping[str, Tensor]:
        """k_m per modality; none where every k_m is 1 for good."""
        return {} if self.off else dict(zip(self._names, self.factor.unbind(), strict=True))

    def modulate_(self, step: Step) -> Record:
        """Changes no gradient; logs `rate` (k) per modality."""
        return {} if self.off else {"rate": {name: rate.clone() for name, rate in self.rates().items()}}

    @torch.no_grad()
    def end_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Take the modalities' validation scores, and set the rates of the next epoch."""
        if probe is None or not self.dynamic:
            return
        latest = validated(probe, self, self._alone)
        if int(self.seen) >= len(self.scores):
            self.factor.copy_(self.factor.new_tensor(self._base) * ratio(latest, self.scores))
        self.scores.copy_(torch.cat([self.scores[1:], latest[None]]))
        self.seen += 1

    def _alone(self, step: Step) -> list[Tensor]:
        return [self._score[0](u, step.target) for u in unimodal_logits(self._head[0], self._names, step)]


def starting(names: Sequence[str], rates: Mapping[str, float], smoothing: float) -> list[float]:
    """(1 - smoothing) r_m + smoothing mean_j r_j per modality; ValueError for other names and rates not above 0."""
    if unknown := sorted(set(rates) - set(names)):
        raise ValueError(f"rates names {', '.join(unknown)}; the modalities are {', '.join(names)}")
    if wrong := {name: rate for name, rate in sorted(rates.items()) if not rate > 0}:
        raise ValueError(f"rates has {wrong}; allowed: more than 0")
    given = [float(rates.get(name, 1.0)) for name in names]
    mean = sum(given) / len(given)
    return [rate + smoothing * (mean - rate) for rate in given]  # exact where all are equal


def ratio(latest: Tensor, before: Tensor) -> Tensor:
    """s / mean of the scores before, (M,) and (window, M) to (M,); 1 where that mean is not above 0."""
    mean = before.mean(0)
    return torch.where(mean > 0, latest / mean.clamp_min(torch.finfo(mean.dtype).tiny), 1.0)
