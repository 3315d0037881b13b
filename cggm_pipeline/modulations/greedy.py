"""Balanced multi-modal learning against greedy learning (Wu et al., ICML 2022, arXiv 2202.05306)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._head import checked, partial_logits
from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step


class Gating(Protocol):
    """What is asked of the fusion: an MMTM. `places`: modality to its columns of z, sorted by name."""

    places: Mapping[str, slice]
    squeeze: nn.Module
    excitations: Mapping[str, nn.Module]

    def gates(self, features: Mapping[str, object]) -> Mapping[str, Tensor]: ...

    def hold_(self, held: Tensor, steady: Tensor) -> None: ...


class Greedy(Modulation):
    """Where one of two modalities learns much faster through the other's gates, it is cut off from them for some steps.

    mu(theta) = ||grad||^2 / ||theta||^2;  bypass_m += mu(E_m, S);  main_m += mu(encoder m, W_m)       in regular steps
    s_m = log10(bypass_m / main_m);  d = s_1 - s_2
    From `start_epoch` on, after a regular step with |d| > epsilon, `window` steps follow in which the gates g_m of
    modality m = 1 (d > 0) or 2 (d < 0) are replaced by their running mean, so that nothing of the other reaches it.

    Every step: L = sum_m loss(W_m (g_m * z_m) + b, y), one loss for each branch's own prediction, as in the released
    code; the prediction is the branches' mean. E_m and S (shared, counted in both) are the gates' layers of the MMTM.

    The paper has MMTMs between the convolutional stages of two ResNets and sums mu's parts over all of them; here there
    is one module, behind the encoders (`fusion: mmtm`), so that the other modality reaches a branch at its end alone.
    The rule is the paper's, on that one place. The running mean is one step behind (in the released code it holds the
    current step's, and the second modality's is fed by the first one's gates). The bias b is shared by the branches and
    counted in neither.

    `fusion` is held unregistered and told which gates to hold, once per optimiser step. Exactly two modalities.
    """

    bypass: Tensor
    main: Tensor
    left: Tensor
    caring: Tensor
    steady: Tensor
    steps: Tensor

    def __init__(
        self,
        parts: Parts,
        head: nn.Module,
        fusion: Gating,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        epsilon: float = 0.01,
        window: int = 5,
        start_epoch: int = 2,
    ) -> None:
        super().__init__()
        self._names = sorted(parts.names)
        if len(self._names) != 2 or list(fusion.places) != self._names:
            found = f"parts has {self._names}, the fusion {list(fusion.places)}"
            raise ValueError(f"{found}; both need the same two modalities")
        self._parts, self._head, self._fusion, self._loss = parts, (checked(head, "head"),), (fusion,), (loss,)
        self.epsilon, self.window, self.first = epsilon, window, start_epoch
        device = self._head[0].weight.device
        self.register_buffer("bypass", torch.zeros(2, device=device))
        self.register_buffer("main", torch.zeros(2, device=device))
        self.register_buffer("left", torch.zeros((), dtype=torch.long, device=device))
        self.register_buffer("caring", torch.zeros((), dtype=torch.long, device=device))
        width = max(place.stop for place in fusion.places.values())
        self.register_buffer("steady", torch.ones(width, device=device))
        self.register_buffer("steps", torch.zeros((), device=device))
        self._seen: list[Tensor] = []

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """The sum of the branches' losses; takes this micro-batch's gates."""
        places, number = self._fusion[0].places, len(self._names)
        with torch.no_grad():
            gates = self._fusion[0].gates(step.features)
            total = torch.cat([gates[name].to(self.steady.dtype).sum(0) for name in self._names])
            self._seen.append(torch.cat([total, total.new_ones(1) * len(step.target)]) * (step.count > 0))
        own = [partial_logits(self._head[0], step.fused * number, places[name], 1.0) for name in self._names]
        return torch.stack([self._loss[0](logits, step.target) for logits in own]).sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `speed` (s_m) per modality, and `curation`: whether the next step is one with held gates."""
        if not self._seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        seen, self._seen = torch.stack(self._seen).sum(0), []
        _distributed.mean_([seen])
        self._advance_mean_(seen[:-1] / seen[-1])
        regular = self.left == 0
        bypass, main = self._paces()
        counted = regular & torch.cat([bypass, main]).isfinite().all()  # float16 skips steps that overflow
        self.bypass += torch.where(counted, bypass, 0.0)
        self.main += torch.where(counted, main, 0.0)
        tiny = torch.finfo(self.main.dtype).tiny
        speed = (self.bypass.clamp_min(tiny) / self.main.clamp_min(tiny)).log10()
        self._advance_window_(regular, speed[0] - speed[1], step.epoch)
        held = (torch.arange(2, device=self.caring.device) == self.caring) & (self.left > 0)
        self._fusion[0].hold_(held, self.steady)
        return {"speed": dict(zip(self._names, speed, strict=True)), "curation": (self.left > 0).float()}

    def _advance_mean_(self, gates: Tensor) -> None:
        self.steps += 1
        self.steady += (gates - self.steady) / self.steps

    def _advance_window_(self, regular: Tensor, difference: Tensor, epoch: int) -> None:
        opens = regular & (difference.abs() > self.epsilon) & (epoch >= self.first)
        self.caring.copy_(torch.where(opens, (difference < 0).long(), self.caring))
        self.left.copy_(torch.where(opens, self.window, (self.left - 1).clamp_min(0)))

    def _paces(self) -> tuple[Tensor, Tensor]:
        """mu of the bypass and of the main parameters, (2,) each."""
        fusion, head = self._fusion[0], self._head[0].weight
        shared = self._squares(_with_gradients(fusion.squeeze.parameters()))
        bypass, main = [], []
        for name in self._names:
            excitation = _with_gradients(fusion.excitations[name].parameters())
            bypass.append(_pace(self._squares(excitation) + shared))
            own = _with_gradients(self._parts.parameters(name))
            if head.grad is not None:
                block = fusion.places[name]
                own.append((head.flatten(1)[:, block], head.grad.flatten(1)[:, block]))
            main.append(_pace(self._squares(own)))
        return torch.stack(bypass), torch.stack(main)

    def _squares(self, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
        """(||theta||^2, ||grad||^2) of all together; zeros where there are none."""
        zero = self.main.new_zeros(2)
        return sum((torch.stack([value.to(zero.dtype).square().sum() for value in pair]) for pair in pairs), start=zero)


def _with_gradients(parameters: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]


def _pace(squares: Tensor) -> Tensor:
    return squares[1] / squares[0].clamp_min(torch.finfo(squares.dtype).tiny)
