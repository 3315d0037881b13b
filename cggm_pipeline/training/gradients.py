"""The network's gradients after modulation: their norms, what is not finite among them, and clipping."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_

from cggm_pipeline.training.groups import CLASSIFIERS
from cggm_pipeline.training.watch import Watched


class Gradients:
    """All gradients of the network, never the classifiers', in the order of the parameter groups."""

    def __init__(self, groups: list[dict[str, Any]], network: nn.Module) -> None:
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        self._parameters: list[nn.Parameter] = []
        self._spans: dict[str, slice] = {}
        self.watched: list[Watched] = []
        for group in groups:
            if group["owner"] == CLASSIFIERS:
                continue
            start = len(self._parameters)
            self._parameters += group["params"]
            self.watched += [Watched(f"gradient of {names[id(p)]}", group["modality"]) for p in group["params"]]
            if group["modality"] is not None:
                self._spans[group["modality"]] = slice(start, len(self._parameters))
        self._zero = torch.zeros((), device=self._parameters[0].device)

    def norms(self) -> Tensor:
        """The 2-norm of every gradient, (number of parameters,); 0 where a parameter has none. No synchronisation."""
        existing = [self._zero if parameter.grad is None else parameter.grad for parameter in self._parameters]
        return torch.stack([norm.float() for norm in torch._foreach_norm(existing)])

    def by_modality(self, norms: Tensor) -> dict[str, Tensor]:
        """The norm of each modality's whole gradient."""
        return {name: torch.linalg.vector_norm(norms[span]) for name, span in self._spans.items()}

    def clip_(self, norms: Tensor, bound: float) -> None:
        """Scale all gradients down so that their joint norm is at most `bound`."""
        clip_grads_with_norm_(self._parameters, bound, torch.linalg.vector_norm(norms), foreach=True)
