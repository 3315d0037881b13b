"""Multi-loss balanced training (Kontras et al., BMVC 2024; IJCV 2025)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._checks import modalities, within
from cggm_pipeline.modulations._classifiers import matching
from cggm_pipeline.modulations._ratios import ratio_of_others
from cggm_pipeline.modulations._tally import Tally
from cggm_pipeline.modulations._unimodal import true_class_mass
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step


class MLB(Modulation):
    """Trains a classifier per modality with the encoders, slows who is ahead and speeds up who is behind.

    L <- L + sum_m L(c_m(h_m), y);   s_m = mean_i softmax(c_m(h_m))[i, y_i];   r_m = mean over j != m of s_j / s_m
    grad_m <- k_m grad_m,   k_m = 1 + (beta_max - 1) tanh(alpha (r_m - 1))   where r_m > 1
                            k_m = 1 + tanh(alpha (r_m - 1))                  elsewhere, in (1 - tanh alpha, 1]

    `classifiers`: per modality, a module from `step.features[name]`, not detached, to logits. `loss(logits, target)`: a
    scalar. `parameters()` are the classifiers'. Only the encoders' gradients are scaled, those of both losses; where
    modalities are equally sure, every k_m is 1 and the method is `unimodal_losses`. Targets that are values have no
    true class: there s_m = exp(-loss), which is ours. Scores, or of values the losses, are means over all micro-batches
    and processes.

    The released code has beta_max 2 unless told otherwise, 10 for CREMA-D (the default here, with its alpha), and
    scales a linear layer behind the encoder with it.
    """

    def __init__(
        self,
        parts: Parts,
        classifiers: Mapping[str, nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        alpha: float = 0.5,
        beta_max: float = 10.0,
    ) -> None:
        super().__init__()
        within("alpha", alpha)
        within("beta_max", beta_max, 1)
        self._parts, self._names = parts, modalities(parts)
        self.classifiers = matching(self._names, classifiers)
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self.alpha, self.beta_max = alpha, beta_max
        self._tally = Tally()

    def penalty(self, step: Step) -> Tensor | float:
        """The sum of the classifiers' losses, in the graph; takes their scores."""
        loss = self._loss[0]
        logits = [self.classifiers[name](step.features[name]) for name in self._names]
        losses = torch.stack([loss(own, step.target) for own in logits])
        seen = losses.detach().double()
        scores = seen  # of values: exp(-loss) is taken in `modulate_`, of the whole step's
        if not step.target.is_floating_point():
            masses = torch.stack([true_class_mass(own.detach(), step.target) for own in logits])
            scores = masses / step.target.numel()
        self._tally.add(torch.cat([scores, seen]) * step.count, step.count)
        return losses.sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs per modality `score` (s), `factor` (k), `grad_norm` (before scaling) and `unimodal_loss`."""
        score, losses = self._tally.means().chunk(2)
        if step.target.is_floating_point():
            score = torch.exp(-losses)
        factors = dict(zip(self._names, pace(ratio_of_others(score), self.alpha, self.beta_max), strict=True))
        norms = {name: self._parts.gradient_norm(name) for name in self._names}
        self._parts.scale_(factors)
        _distributed.mean_gradients_(self.classifiers.parameters())
        scores = dict(zip(self._names, score, strict=True))
        unimodal = dict(zip(self._names, losses, strict=True))
        return {"score": scores, "factor": factors, "grad_norm": norms, "unimodal_loss": unimodal}


def pace(ratio: Tensor, alpha: float, beta_max: float) -> Tensor:
    """k_m from r_m, elementwise."""
    change = torch.tanh(alpha * (ratio - 1))
    return 1 + torch.where(ratio > 1, (beta_max - 1) * change, change)
