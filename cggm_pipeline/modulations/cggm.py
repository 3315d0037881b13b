"""Classifier-guided gradient modulation (Guo et al., NeurIPS 2024, arXiv 2411.01409)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._classifiers import matching
from cggm_pipeline.modulations._guidance import guided
from cggm_pipeline.modulations._head import Head, blocks, checked, full_precision, own_widths, size
from cggm_pipeline.modulations._paper import paper
from cggm_pipeline.modulations._preset import Loss, Preset, View, precise
from cggm_pipeline.modulations._released import released
from cggm_pipeline.modulations._stable import stable
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step

PRESETS: Mapping[str, Callable[[Head, int, float], Preset]] = {"paper": paper, "released": released, "stable": stable}


@dataclass(frozen=True)
class _Network:
    """What belongs to the caller: held in a plain object, so that it is no submodule of ours."""

    parts: Parts
    head: Head
    loss: Loss
    score: Loss


class CGGM(Modulation):
    """Scales an encoder's gradient by how little its classifier gains; turns the head's gradient to the classifiers'.

    d_i = eps_i(t) - eps_i(t-1);  S = sum_k d_k + 1e-8;  B_i = (S - d_i) / S          eps_i: score of classifier i
    grad(encoder i) <- rho B_i grad(encoder i)                                          magnitude; rho None: off
    L <- L + lam L_gm,  L_gm = (1/M) sum_i (|B_i| - B_i cos(g, g_i))                    direction; lam 0: off, and free
    g = dL/dW of the head, g_i = dL_i/dW_i of classifier i's head; B_i and g_i are constants in L_gm.

    `parts`: the encoders' parameters, by modality. `classifiers`: per modality a module from `step.features[name]`
    (detached, except in preset "stable") to logits, with its last linear layer or 1x1 convolution as attribute `head`;
    these heads read the width that `head` reads, or, where that is a concatenation, its blocks. `head`: the linear
    layer or 1x1 convolution that makes `step.logits` from `step.fused`. `loss(logits, target)`: a mean over the batch,
    differentiable twice. `score(logits, target)`: a scalar tensor in [0, 1], more is better.

    `preset`: "paper" (the equations above), "released" (the authors' code: cosines of weights, one step late), "stable"
    (ours: B_i in (0, 1], lam turns the encoders' gradients to their classifiers', not the head's; `_stable.py`).
    `normalise`: rho B_i M/(M-1), so that a rho means the same for every M; L_gm keeps B_i. Without effect in "stable".
    `parameters()` are the classifiers'; give them a parameter group of their own and do not clip them. `state_dict()`
    has the classifiers and what is remembered between steps. rho None and lam 0 hold no classifier and do nothing.

    With accumulation eps_i is the mean over the micro-batches, and the direction term is each micro-batch's own, with
    the mean so far. Several processes share scores, g, g_i and the classifiers' gradients. Raises ValueError where
    names or shapes do not fit.
    """

    def __init__(
        self,
        parts: Parts,
        classifiers: Mapping[str, nn.Module],
        head: nn.Module,
        loss: Loss,
        score: Loss,
        *,
        preset: Literal["paper", "released", "stable"],
        rho: float | None = 1.3,
        lam: float = 0.2,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}; allowed: {', '.join(PRESETS)}")
        if (rho is not None and rho < 0) or lam < 0:
            raise ValueError(f"rho is {rho}, lam is {lam}; allowed: rho at least 0 or None, lam at least 0")
        self.names = tuple(sorted(parts.names))
        self.rho, self.lam, self.normalise = rho, lam, normalise
        self.off = rho is None and lam == 0
        self._network = _Network(parts, checked(head, "head"), loss, score)
        self._seen: list[Tensor] = []
        if self.off:
            return
        self.classifiers = matching(self.names, classifiers)
        self._own_widths = own_widths(self._network.head, self.classifiers.heads())
        chosen = PRESETS[preset](self._network.head, len(self.names), lam)
        self.coefficients, self.direction = chosen.coefficients, chosen.direction

    def penalty(self, step: Step) -> Tensor | float:
        """lam * L_gm plus the classifiers' losses, in the graph; once per micro-batch, before backward."""
        if self.off:
            return 0.0
        logits = self._classify(step)
        losses = [self._network.loss(own, step.target) for own in logits]
        self._take_scores(logits, step)
        total = torch.stack(losses).sum()
        if self.lam and self.direction is not None:
            total = total + self.lam * self.direction(self.coefficients(self._scores()[0]), self._view(step, losses))
        return total

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Scale the encoders' gradients; after the last backward of an optimiser step and unscaling, before clipping.

        Logs per modality `eps`, `B` (without rho), `grad_norm` (before scaling); with L_gm `cos`, and `l_gm`; in preset
        "stable" `guidance` (w_i).
        """
        if self.off:
            return {}
        scores, fused = self._scores()
        coefficients, guidance = self.coefficients(scores), self.coefficients.guidance()
        norms = torch.stack([self._network.parts.gradient_norm(name) for name in self.names])
        record: Record = {"eps": self._named(scores), "B": self._named(coefficients), "grad_norm": self._named(norms)}
        if guidance is not None:
            record["guidance"] = self._named(guidance)
        if self.lam and self.direction is not None:
            latest = self.direction.advance_(coefficients, self._view(step, []))
            record |= {"cos": self._named(latest.cosines), "l_gm": latest.value}
        if self.rho is not None:
            scale = self.rho / self.neutral if self.normalise else self.rho
            self._network.parts.scale_(self._named(scale * coefficients))
        _distributed.mean_gradients_(self.classifiers.parameters())
        self.coefficients.advance_(scores, fused)
        self._seen = []
        return record

    @property
    def neutral(self) -> float:
        """B where every modality gains alike: (M-1)/M in the paper."""
        return self.coefficients.neutral

    def _classify(self, step: Step) -> list[Tensor]:
        for name in self.names:
            if name not in step.features:
                raise ValueError(f"step.features has {sorted(step.features)}, but no {name!r}")
        features = [step.features[name] for name in self.names]
        guidance = self.coefficients.guidance()
        if guidance is None:
            read = [each.detach() for each in features]
        else:
            read = [guided(each, weight) for each, weight in zip(features, guidance, strict=True)]
        return [self.classifiers[name](each) for name, each in zip(self.names, read, strict=True)]

    @torch.no_grad()
    def _take_scores(self, logits: list[Tensor], step: Step) -> None:
        read = full_precision([each.detach() for each in (*logits, step.logits)])
        scores = [self._network.score(each, step.target) for each in read]
        if not all(isinstance(score, Tensor) and score.ndim == 0 for score in scores):
            raise TypeError("score(logits, target) must return a scalar tensor on the device of the logits")
        eps = torch.stack([score.to(precise(score.device)) for score in scores])
        counted = torch.cat([eps * step.count, eps.new_full((1,), step.count)])
        _distributed.mean_([counted])
        self._seen.append(counted)

    def _scores(self) -> tuple[Tensor, Tensor]:
        """eps (M,) and the fused prediction's score: means over this step's samples so far, in all processes."""
        if not self._seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        seen = torch.stack(self._seen).sum(0)
        means = seen[:-1] / seen[-1]
        return means[:-1], means[-1]

    def _view(self, step: Step, losses: list[Tensor]) -> View:
        network, heads = self._network, self.classifiers.heads()
        places = {name: slice(None) for name in self.names}
        if self._own_widths:
            places = blocks(step, {name: size(heads[name])[1] for name in self.names}, size(network.head)[1])
        return View(step, network.head, network.loss, list(heads.values()), losses, [places[n] for n in self.names])

    def _named(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, values, strict=True))
