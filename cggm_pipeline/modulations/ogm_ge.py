"""On-the-fly gradient modulation with generalisation enhancement (Peng et al., CVPR 2022; Wei et al., TPAMI 2024)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._ratios import ratio_to_others
from cggm_pipeline.modulations._unimodal import true_class_mass, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

Form = Literal["cvpr22", "tpami24"]


class OGMGE(Modulation):
    """Slows the encoder of the modality whose own logits are ahead, and adds noise to the encoders' gradients.

    s_m = sum_i softmax(u_m)[i, y_i];  r_m = mean over j != m of s_m / s_j
    k_m = 1 - tanh(alpha r_m)              where r_m > 1, else 1    form "cvpr22"  (eq. 10; jumps at r = 1)
    k_m = max(1 - alpha tanh(r_m - 1), 0)  where r_m > 1, else 1    form "tpami24" (eq. 7)
    grad_m <- k_m grad_m + noise,  noise ~ N(0, std(grad_m)) per tensor, of the gradient before scaling, for every m

    u_m = W_m z_m + b/M where the head reads a concatenation (`step.blocks`, or feature tensors whose widths add up to
    the head's input, in the order of `step.features`); otherwise `step.rerun` with the other modalities at zero.
    Active for start_epoch <= step.epoch <= end_epoch. Targets are class indices, per sample or per pixel (then i runs
    over pixels). The noise comes from torch's global generator of the gradients' device.
    """

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        *,
        alpha: float = 0.8,
        form: Form = "tpami24",
        noise: bool = True,
        start_epoch: int = 0,
        end_epoch: int | None = None,
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"form is {form!r}; allowed: {', '.join(get_args(Form))}")
        if len(parts.names) < 2:
            raise ValueError(f"parts has {len(parts.names)} modality; balancing needs at least 2")
        self._parts, self._head = parts, (checked(head, "head"),)
        self._names = sorted(parts.names)
        self.alpha, self.form, self.noise = alpha, form, noise
        self.first, self.last = start_epoch, end_epoch
        self._seen: list[Tensor] = []

    def _active(self, step: Step) -> bool:
        return self.first <= step.epoch and (self.last is None or step.epoch <= self.last)

    @torch.no_grad()
    def penalty(self, step: Step) -> Tensor | float:
        """Adds nothing to the loss; takes this micro-batch's scores."""
        if self._active(step):
            mass = torch.stack(
                [true_class_mass(u, step.target) for u in unimodal_logits(self._head[0], self._names, step)]
            )
            self._seen.append(torch.cat([mass, mass.new_full((1,), step.target.numel())]) * (step.count > 0))
        return 0.0

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs per modality `score` (mean true-class probability), `factor` (k) and `grad_norm` (before scaling)."""
        if not self._active(step):
            return {}
        if not self._seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        seen, self._seen = torch.stack(self._seen).sum(0), []
        _distributed.mean_([seen])
        mass, count = seen[:-1], seen[-1]
        factors = dict(zip(self._names, slowing(ratio_to_others(mass), self.alpha, self.form), strict=True))
        norms = {name: self._parts.gradient_norm(name) for name in self._names}
        self._scale_(factors)
        score = dict(zip(self._names, mass / count, strict=True))
        return {"score": score, "factor": factors, "grad_norm": norms}

    def _scale_(self, factors: dict[str, Tensor]) -> None:
        noises = {name: self._noises(name) for name in factors} if self.noise else {}
        self._parts.scale_(factors)
        for name, tensors in noises.items():
            torch._foreach_add_(self._parts.gradients(name), tensors)

    def _noises(self, name: str) -> list[Tensor]:
        """N(0, std) per gradient tensor; a tensor of one entry has no standard deviation and gets none."""
        return [
            _distributed.first_(torch.randn_like(gradient)) * gradient.std()
            if gradient.numel() > 1
            else torch.zeros_like(gradient)
            for gradient in self._parts.gradients(name)
        ]


def slowing(ratio: Tensor, alpha: float, form: Form) -> Tensor:
    """k_m from r_m, elementwise."""
    slowed = {
        "cvpr22": lambda: 1 - torch.tanh(alpha * ratio),
        "tpami24": lambda: (1 - alpha * torch.tanh(ratio - 1)).clamp_min(0),
    }[form]()
    return torch.where(ratio > 1, slowed, 1.0)
