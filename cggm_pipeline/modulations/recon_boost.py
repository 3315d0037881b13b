"""ReconBoost: boosting can achieve modality reconcilement (Hua et al., ICML 2024, arXiv 2405.09321)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.modulations._head import checked, full_precision
from cggm_pipeline.modulations._turn import turn_of
from cggm_pipeline.modulations._unimodal import unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

Form = Literal["paper", "released"]


class ReconBoost(Modulation):
    """The modalities learn in turn, each what the others together do not know yet, like a boosted learner.

    In the turn of modality m (`step.active` = {m}), with F = sum over j != m of u_j, without a gradient:
    L = mean_i (target_weight - ensemble_weight softmax(F)[y]) / C * CE(u_m, y)
        + agreement * mean (softmax(u_m) - softmax(u_prev))^2
    Where all learn together (`step.active` None, the schedule's `rectify`): the task's loss of the fused logits.

    u_m = W_m z_m + b/M; u_prev: of the modality before m in the circle of names, without a gradient. form "paper":
    u_m has a gradient in the second term; form "released": neither has one, so that the term does nothing, as in the
    released code. The first term is the released code's as it stands (a cross-entropy whose weight is the residual,
    averaged over the C classes as well), classes unweighted, whatever the task's loss.

    Left out: the learnable factor of the sum (the released code's `boost_rate`, at first 1), which W can take over; the
    unimodal pre-training; the exception of the very first stage, in which the released code has an ensemble of nothing.
    The released code's modalities share one head by default; here each has its own block. All blocks are one tensor:
    momentum and weight decay move the blocks of the other modalities, whose gradient is zero, in every turn.
    Targets are class indices (B,). ValueError where it is no single modality's turn.
    """

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        *,
        target_weight: float = 5.0,
        ensemble_weight: float = 1.0,
        agreement: float = 0.5,
        form: Form = "paper",
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"form is {form!r}; allowed: {', '.join(get_args(Form))}")
        if len(parts.names) < 2:
            raise ValueError(f"parts has {len(parts.names)} modality; boosting needs at least 2")
        self._parts, self._head, self._names = parts, (checked(head, "head"),), sorted(parts.names)
        self.target_weight, self.ensemble_weight = target_weight, ensemble_weight
        self.agreement, self.form = agreement, form
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The turn's loss; the task's where all learn together."""
        name = turn_of(step, self._names)
        if name is None:
            return loss
        place = self._names.index(name)
        logits = full_precision(unimodal_logits(self._head[0], self._names, step))
        own, others = logits[place], torch.stack(logits).detach()
        boosting = self._boosting(own, others.sum(0) - others[place], step.target)
        agreement = self._disagreement(own, others[place - 1])
        self._seen.append(torch.stack([boosting.detach(), agreement.detach()]))
        return boosting + self.agreement * agreement

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Takes the gradients (zeros) of the other encoders away, so that momentum does not move them.

        Logs `boosting_loss` and `disagreement` of the turn's modality (means over micro-batches, this process's).
        """
        name = turn_of(step, self._names)
        if name is None:
            return {}
        if not self._seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        for other in self._names:
            for parameter in self._parts.parameters(other) if other != name else ():
                parameter.grad = None
        seen, self._seen = torch.stack(self._seen).mean(0), []
        return {"boosting_loss": {name: seen[0]}, "disagreement": {name: seen[1]}}

    def _boosting(self, own: Tensor, others: Tensor, target: Tensor) -> Tensor:
        """The residual-weighted cross-entropy, from u_m and F, (B, C) each."""
        known = others.softmax(1).gather(1, target[:, None]).squeeze(1)
        weight = (self.target_weight - self.ensemble_weight * known) / own.shape[1]
        return (weight * functional.cross_entropy(own, target, reduction="none")).mean()

    def _disagreement(self, own: Tensor, previous: Tensor) -> Tensor:
        """mean (softmax(u_m) - softmax(u_prev))^2."""
        learner = own if self.form == "paper" else own.detach()
        return functional.mse_loss(learner.softmax(1), previous.softmax(1))
