"""MMPareto: Pareto integration of multimodal and unimodal gradients (Wei & Hu, ICML 2024, arXiv 2405.17730)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._classifiers import matching
from cggm_pipeline.modulations._features import tensors
from cggm_pipeline.modulations._leaves import gradients, inner, leaf
from cggm_pipeline.modulations._pareto import Form, combined, dot, weight
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step


class MMPareto(Modulation):
    """Each encoder follows a direction that neither the joint loss nor its own modality's loss objects to.

    g = dL/dtheta_m, g_m = dL_m/dtheta_m, L_m = L(c_m(h_m), y)                             per encoder, all its tensors
    h = 2 a g + 2 (1 - a) g_m;  a = 1/2 where <g, g_m> > 0, else the a that makes |a g + (1 - a) g_m| smallest:
        a = <g_m - g, g_m> / |g - g_m|^2;  0.999 where <g, g_m> >= |g|^2, 0.001 where <g, g_m> >= |g_m|^2
    grad_m <- gamma h |g + g_m| / |h|                                  form "paper": over all tensors of the encoder
    grad_m <- gamma h max(1, |g + g_m| / |h|)                          form "released": tensor by tensor
    Fusion, head and classifiers have their plain gradients. Where h is 0 the gradient is 0, not NaN.

    `parts`: the encoders' parameters, by modality. `classifiers`: per modality, a module from `step.features[name]` to
    logits. `loss(logits, target)`: a scalar, a mean over the batch. `parameters()` are the classifiers'. g_m costs one
    more backward pass through the encoders; it is the mean over micro-batches and processes, weighted by samples.
    """

    def __init__(
        self,
        parts: Parts,
        classifiers: Mapping[str, nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        gamma: float = 1.5,
        form: Form = "paper",
    ) -> None:
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"form is {form!r}; allowed: {', '.join(get_args(Form))}")
        if gamma <= 0:
            raise ValueError(f"gamma is {gamma}; allowed: above 0")
        self._names = sorted(parts.names)
        self._parts, self._loss = parts, (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self.classifiers = matching(tuple(self._names), classifiers)
        self.gamma, self.form = gamma, form
        self._own: dict[str, list[Tensor]] = {}
        self._count = 0
        self._seen: list[Tensor] = []

    def penalty(self, step: Step) -> Tensor | float:
        """The classifiers' losses, of detached features, in the graph; takes this micro-batch's g_m."""
        read = {name: leaf(step.features[name]) for name in self._names}
        losses = torch.stack([self._loss[0](self.classifiers[name](read[name]), step.target) for name in self._names])
        handed = gradients(losses.sum(), [each for name in self._names for each in tensors(read[name])], retain=True)
        for name in self._names:
            number = len(tensors(read[name]))
            given, handed = handed[:number], handed[number:]
            self._add(name, step, given)
        self._count += step.count
        self._seen.append(losses.detach())
        return losses.sum()

    def _add(self, name: str, step: Step, given: list[Tensor]) -> None:
        """Pull dL_m/dh_m back to the encoder's parameters; sums over micro-batches, weighted by samples."""
        reached = inner(step.features[name], given)
        found = gradients(reached, self._parts.parameters(name), retain=True)
        torch._foreach_mul_(found, float(step.count))
        if name in self._own:
            torch._foreach_add_(self._own[name], found)
        else:
            self._own[name] = found

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Replace the encoders' gradients; after unscaling and before clipping.

        Logs per modality `cos` (of g and g_m), `weight` (a), `grad_norm` (|g|) and `unimodal_loss` (this process's).
        """
        if not self._seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        own, count, losses = self._own, self._count, torch.stack(self._seen).mean(0)
        self._own, self._count, self._seen = {}, 0, []
        for each in own.values():
            torch._foreach_div_(each, float(max(count, 1)))
            _distributed.mean_(each, weight=float(count))
        _distributed.mean_gradients_(self.classifiers.parameters())
        found = [(*self._integrate_(name, own[name]), loss) for name, loss in zip(self._names, losses, strict=True)]
        columns = zip(*found, strict=True)
        logged = ("cos", "weight", "grad_norm", "unimodal_loss")
        return {key: dict(zip(self._names, column, strict=True)) for key, column in zip(logged, columns, strict=True)}

    def _integrate_(self, name: str, own: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Replace one encoder's gradient; (cos of g and g_m, a, |g|)."""
        joint = self._joint(name)
        own = [each.to(whole.dtype) for each, whole in zip(own, joint, strict=True)]
        products = dot(joint, joint), dot(joint, own), dot(own, own)
        share = weight(*products)
        torch._foreach_copy_(joint, combined(joint, own, share, self.gamma, self.form))
        length = (products[0] * products[2]).sqrt()
        return products[1] / length.where(length > 0, 1), share, products[0].sqrt()

    def _joint(self, name: str) -> list[Tensor]:
        """g, the gradients that lie on the parameters; zeros are put where there is none."""
        parameters = self._parts.parameters(name)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return self._parts.gradients(name)
