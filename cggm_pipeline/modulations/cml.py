"""Calibrating multimodal learning (Ma et al., ICML 2023, arXiv 2306.01265)."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations.base import Modulation, Record, Step


class CML(Modulation):
    """Confidence must not grow when a modality is removed.

    S_0 = all modalities, S_k = S_(k-1) without one, in a random order, down to one;  f_S: logits from S alone
    L <- (1/M) sum_k L(f_(S_k), y) + lam sum_k mean_i max(0, conf_i(f_(S_k)) - conf_i(f_(S_(k-1))))
    The first sum begins with k = 0, the second with k = 1.  conf_i = max_c softmax(f)[i, c], i a sample or a pixel.

    `Step` needs `rerun`, which sets a removed modality's features to zero. `loss(logits, target)`: a scalar. The order
    is drawn anew for every step, from its `epoch` and `index`: it is the same in every micro-batch, process and resumed
    run, and in runs with other seeds. A loop of one's own must count `Step(epoch=..., index=...)`, or the order stays.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], *, lam: float = 0.1) -> None:
        super().__init__()
        if lam < 0:
            raise ValueError(f"lam is {lam}; allowed: at least 0")
        self._loss = (loss,)  # in a tuple, as a loss may be a module, and belongs to the caller
        self.lam = lam
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The mean loss over the chain of subsets, and the rises of confidence along it."""
        if step.rerun is None:
            raise ValueError("cml needs Step(rerun=...): logits with the named modalities' features set to zero")
        removed = removal_order(step)
        chain = [step.logits, *(step.rerun(removed[:count]) for count in range(1, len(removed)))]
        losses = torch.stack([loss, *(self._loss[0](logits, step.target) for logits in chain[1:])])
        sure = torch.stack([confidence(logits) for logits in chain])
        rises = functional.relu(sure[1:] - sure[:-1]).flatten(1).mean(1).sum()
        self._seen.append(rises.detach())
        return losses.mean() + self.lam * rises

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Edits nothing; logs `confidence_rise`, what lam multiplies (mean over micro-batches, this process's)."""
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        return {"confidence_rise": torch.stack(seen).mean()}


def removal_order(step: Step) -> list[str]:
    """The modalities in this step's order of removal; the last one stays."""
    names = sorted(step.features)
    random.Random(f"{step.epoch} {step.index}").shuffle(names)
    return names


def confidence(logits: Tensor) -> Tensor:
    """(B, ...): the largest class probability, of logits (B, C, ...)."""
    return logits.float().softmax(1).amax(1) if logits.dtype != torch.float64 else logits.softmax(1).amax(1)
