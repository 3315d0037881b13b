"""Entropy minimisation at test time (Tent: Wang et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.evaluation.adaptation.copies import adaptable, check_learning, learning
from cggm_pipeline.evaluation.adaptation.learner import Learner
from cggm_pipeline.evaluation.adaptation.losses import entropy
from cggm_pipeline.evaluation.adaptation.statistics import take_batch_statistics_
from cggm_pipeline.evaluation.predictors.adapting import Adapting
from cggm_pipeline.evaluation.predictors.base import Ask
from cggm_pipeline.evaluation.predictors.plain import PLAIN
from cggm_pipeline.layers.features import Input


class Tent(Adapting):
    """`steps` Adam steps per batch on the mean entropy of its predictions, over normalisation's scales and shifts.

    Batch normalisation takes the batch's statistics. "online": what was learnt stays, and the prediction is that of
    the forward pass before the last step (section 3.3: one pass per batch). "episodic": each batch starts from the
    trained network, and the prediction comes after the last step.
    """

    def __init__(
        self,
        *,
        mode: Literal["online", "episodic"] = "online",
        steps: int = 1,
        lr: float = 1e-3,
        batch_size: int = 200,
    ) -> None:
        self.steps = steps
        self.lr = lr
        self.batch_size = batch_size
        self._open = {"online": self._online, "episodic": self._episodic}[mode]

    def open(self, network: nn.Module) -> Ask:
        return self._open(network)

    def check(self, network: nn.Module) -> None:
        check_learning(network, "tent")

    def _online(self, network: nn.Module) -> Ask:
        copy = adaptable(network)
        take_batch_statistics_(copy)
        learner = Learner(learning(copy), lr=self.lr)
        return lambda inputs: self._adapted(copy, learner, inputs)

    def _episodic(self, network: nn.Module) -> Ask:
        def ask(inputs: Mapping[str, Input]) -> Tensor:
            copy = adaptable(network)
            take_batch_statistics_(copy)
            self._adapted(copy, Learner(learning(copy), lr=self.lr), inputs)
            return PLAIN(copy, inputs)

        return ask

    @torch.enable_grad()
    def _adapted(self, copy: nn.Module, learner: Learner, inputs: Mapping[str, Input]) -> Tensor:
        """The steps on one batch; the logits before the last one."""
        for _ in range(self.steps):
            logits: Tensor = copy(inputs).logits
            learner.step(entropy(logits))
        return logits.detach()
