"""Learning to fit the modality gap: labels and contrast in turn (Yang et al., NeurIPS 2024)."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._contrast import divergence, info_nce, over_pairs
from cggm_pipeline.modulations._head import checked
from cggm_pipeline.modulations._hypergradient import hypergradient
from cggm_pipeline.modulations._pooled import pooled
from cggm_pipeline.modulations._unimodal import concatenated, unimodal_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

Form = Literal["paper", "released"]
Integration = Literal["heuristic", "learned"]


class LFM(Modulation):
    """Mixes the loss of the labels with a loss that brings the modalities together, which needs no labels.

    L = (1 - alpha) L_task + alpha L_MM,      L_MM: symmetric InfoNCE of the features      form "paper"
    L = 2 ((1 - alpha) L_task + alpha D),     D = (KL(m|p) + KL(m|q)) / 2, m = (p + q) / 2   form "released"
    alpha_t = 1 - exp(-1/t) in epoch t = 1, 2, ...                                         integration "heuristic"
    alpha <- clip(alpha - lr dL_task/dalpha, 0, 1) after every step, from `start`           integration "learned"
    dL_task/dalpha = - <d(L_MM - L_task)/dtheta, H^-1 dL_task/dtheta>,  H = d^2 L / dtheta^2

    Form "paper" reads features of equal widths, vectors or the mean of each sample's tokens, and compares cosines,
    divided by `temperature`. Form "released" compares softmaxes of u_m = M (W_m z_m + b/M), so that the logits are
    their mean (any fusion but a concatenation: `step.rerun`). More than two modalities: the mean over pairs (ours).

    "learned": theta are the parameters of the encoders (`parts`) and of `head`: all there are where the fusion has
    none (concat without a width, late), otherwise the fusion's are held. H^-1 v is `iterations` steps of conjugate
    residuals (ours; the paper's own solver could not be read); both losses are those of the step's batch. It
    differentiates the network twice: attention has to run as torch's plain kernel (`second_order`; in a loop of one's
    own `torch.nn.attention.sdpa_kernel`), and cuDNN's recurrent layers refuse.

    The other samples of a micro-batch are the contrast, so accumulation and several processes have fewer of them than
    one large batch; alpha moves by the mean over both, and not at all where the hypergradient is not finite. Left out:
    the release's polynomial in the epoch (fitted to CREMA-D), its clamp to [0.05, 0.95] and its mean over the first
    tensor of a Hessian-vector product. Raises ValueError for parameters not allowed and features that do not fit.
    """

    alpha: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        *,
        form: Form = "paper",
        integration: Integration = "heuristic",
        temperature: float = 0.07,
        start: float = 0.5,
        lr: float = 1e-4,
        iterations: int = 5,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("form", form, get_args(Form)),
            ("integration", integration, get_args(Integration)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
        if temperature <= 0 or not 0 <= start <= 1 or lr <= 0 or iterations < 1:
            found = f"temperature is {temperature}, start is {start}, lr is {lr}, iterations is {iterations}"
            raise ValueError(f"{found}; allowed: more than 0, 0 to 1, more than 0, at least 1")
        self.names = tuple(sorted(parts.names))
        if len(self.names) < 2:
            raise ValueError(f"only {self.names[0]!r} was given; balancing needs at least 2 modalities")
        self.form, self.temperature, self.lr, self.iterations = form, temperature, lr, iterations
        self.learned = self.second_order = integration == "learned"
        self._head = (checked(head, "head"),)  # the caller's, so no submodule
        own = [parameter for parameter in head.parameters() if parameter.requires_grad]
        self._parameters_read = [p for name in self.names for p in parts.parameters(name)] + own
        self.register_buffer("alpha", torch.tensor(start))
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The mixture of `loss` and the modalities' own; once per micro-batch, before backward."""
        gap = self._gap(step)
        alpha = self.alpha.clone() if self.learned else torch.full_like(self.alpha, heuristic(step.epoch))
        scale = 1.0 if self.form == "paper" else 2.0
        total = scale * ((1 - alpha) * loss + alpha * gap)
        seen = [gap.detach(), alpha, torch.zeros_like(alpha)]
        if self.learned:
            slope = scale * (gap - loss)
            found = hypergradient(total, slope, loss, self._parameters_read, self.iterations)
            seen[2] = found.nan_to_num(0.0, 0.0, 0.0)  # features that are all zero have no second derivative
        self._seen.append(torch.cat([torch.stack(seen) * step.count, alpha.new_full((1,), step.count)]))
        return total

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Move alpha; logs `alpha` (of this step), `modality_loss` and, where it is learned, `hypergradient`."""
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        counted = torch.stack(seen).sum(0)
        _distributed.mean_([counted])
        gap, alpha, slope, _ = counted / counted[-1]
        record = {"alpha": alpha, "modality_loss": gap}
        if self.learned:
            record["hypergradient"] = slope
            self.alpha.sub_(self.lr * slope).clamp_(0, 1)
        return record

    def _gap(self, step: Step) -> Tensor:
        if self.form == "released":
            own = unimodal_logits(self._head[0], self.names, step)
            scale = len(own) if concatenated(self._head[0], self.names, step) else 1
            return over_pairs(divergence, [scale * each for each in own])
        features = [pooled(step.features[name]) for name in self.names]
        widths = {name: each.shape[1] for name, each in zip(self.names, features, strict=True)}
        if len(set(widths.values())) > 1:
            raise ValueError(f"the contrastive loss needs features of one width; found {widths}")
        return over_pairs(partial(info_nce, temperature=self.temperature), features)


def heuristic(epoch: int) -> float:
    """alpha_t = 1 - exp(-1/t); epochs count from 0, t from 1."""
    return 1 - math.exp(-1 / (epoch + 1))
