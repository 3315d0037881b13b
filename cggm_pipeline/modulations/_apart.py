"""Every modality's own network, encoder and classifier, trained side by side: for rehearsals, never for a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._classifiers import Classifiers
from cggm_pipeline.modulations.base import Modulation, Record, Step

Loss = Callable[[Tensor, Tensor], Tensor]


class Apart(Modulation):
    """L = sum_m L(c_m(h_m), y), without the task's loss of the fused logits: fusion and head stay as they are.

    Encoders share no parameter, so under an element-wise optimiser (SGD, Adam, ...) each network ends as if it had been
    trained alone. A bound on the joint norm of the gradients couples them: one large gradient shortens all the others.
    """

    def __init__(self, classifiers: Mapping[str, nn.Module], loss: Loss) -> None:
        super().__init__()
        self.classifiers = Classifiers(classifiers)
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller

    @property
    def loss(self) -> Loss:
        """loss(logits, target), a scalar."""
        return self._loss[0]

    def losses(self, step: Step) -> Tensor:
        """(M,): the loss of each modality's own prediction, in the order of the names."""
        logits = [self.classifiers[name](step.features[name]) for name in self.classifiers]
        return torch.stack([self.loss(each, step.target) for each in logits])

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The sum of the modalities' losses."""
        total = self.losses(step).sum()
        # a distributed wrapper waits for a gradient of every parameter, also of those that do not learn here
        return total + 0.0 * loss if _distributed.several() else total

    def modulate_(self, step: Step) -> Record:
        """Several processes average the classifiers' gradients."""
        _distributed.mean_gradients_(self.parameters())
        return {}
