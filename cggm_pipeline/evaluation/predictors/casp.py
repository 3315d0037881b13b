"""Contrastive adaptation and stable pseudo-labels, batch by batch (CASP: Guo et al., AAAI 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.copies import adaptable, check_learning, learning
from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.adaptation.stability import Form, instability, selected
from cggm_pipeline.evaluation.adaptation.steps import contrast_step, pseudo_step
from cggm_pipeline.evaluation.adaptation.views import drawn
from cggm_pipeline.evaluation.predictors.adapting import Adapting
from cggm_pipeline.evaluation.predictors.base import Ask
from cggm_pipeline.evaluation.predictors.plain import PLAIN
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.base import Task


class CASP(Adapting):
    """`steps` contrastive steps on a batch, `pseudo_steps` on its stable samples, then its prediction.

    A contrastive step is NT-Xent of z of the samples and z of the same samples without one modality, which is drawn
    from (`seed`, number of the batch). The predictions before, between and after these steps are the trajectory: the
    samples that moved least along it (`form`, `quantile`: see `selected`) learn its mean. Dropout is off, and batch
    normalisation keeps the statistics of training. "online": what was learnt stays, the optimisers' state too.
    "episodic": every batch is the first one of a pass.
    """

    def __init__(
        self,
        task: Task,
        *,
        mode: Literal["online", "episodic"] = "online",
        steps: int = 3,
        pseudo_steps: int = 1,
        temperature: float = 0.5,
        lr: float = 1e-3,
        clip: float | None = 0.8,
        quantile: float = 0.95,
        form: Form = "paper",
        drop: Mapping[str, float] | None = None,
        batch_size: int = 24,
        seed: int = 0,
    ) -> None:
        self.task = task
        self.steps, self.pseudo_steps = steps, pseudo_steps
        self.temperature, self.lr, self.clip = temperature, lr, clip
        self.quantile, self.form = quantile, form
        self.drop, self.seed = drop, seed
        self.batch_size = batch_size
        self._open = {"online": self._online, "episodic": super().open}[mode]

    def __call__(self, network: nn.Module, inputs: Mapping[str, Input]) -> Tensor:
        return self._online(network)(inputs)

    def open(self, network: nn.Module) -> Ask:
        return self._open(network)

    def check(self, network: nn.Module) -> None:
        check_learning(network, "casp")
        names = _modal(network).modalities
        if len(names) < 2:
            raise BuildError(f"casp leaves one of 2 modalities or more out, but the network has {len(names)}")
        unknown = sorted(set(self.drop or ()) - set(names))
        if unknown:
            raise BuildError(f"drop: there is no modality {', '.join(unknown)} (allowed: {', '.join(names)})")

    def _online(self, network: nn.Module) -> Ask:
        copy = adaptable(_modal(network))
        contrast, pseudo = (Learner(learning(copy), lr=self.lr, clip=self.clip) for _ in range(2))
        numbers = count()

        def ask(inputs: Mapping[str, Input]) -> Tensor:
            modalities = drawn(copy.modalities, self.seed, next(numbers), number=self.steps, drop=self.drop)
            trajectory = self._contrast(copy, inputs, modalities, contrast)
            self._pseudo(copy, inputs, trajectory, pseudo)
            return PLAIN(copy, inputs)

        return ask

    def _contrast(self, copy: Network, inputs: Mapping[str, Input], modalities: list[str], learner: Learner) -> Tensor:
        """The predictions before, between and after the steps, (steps + 1, B, ...)."""
        step = partial(contrast_step, copy, inputs, learner=learner, temperature=self.temperature)
        logits = [step(modality)[0] for modality in modalities]
        return torch.stack([self.task.predict(each) for each in (*logits, PLAIN(copy, inputs))])

    def _pseudo(self, copy: Network, inputs: Mapping[str, Input], trajectory: Tensor, learner: Learner) -> None:
        rows = selected(instability(trajectory), quantile=self.quantile, form=self.form)
        label = self.task.label(trajectory.mean(0))
        if len(rows):  # form released selects none of one sample
            for _ in range(self.pseudo_steps):
                pseudo_step(copy, inputs, label, learner, self.task.loss, rows=rows)


def _modal(network: nn.Module) -> Network:
    if not isinstance(network, Network):
        raise BuildError(f"casp predicts with a Network, found {type(network).__name__}")
    return network
