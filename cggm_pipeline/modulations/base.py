"""What a balancing method sees of a training step, and the promise it keeps. Torch and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Record = dict[str, Any]
"""What a step wants logged: names to scalar tensors or to mappings from modality to scalar tensor, on the device."""


@dataclass(frozen=True)
class Step:
    """One forward pass, as a modulation sees it.

    `features`: per modality, attached to the graph; plain tensors, or anything with `.detach()`. `fused`: z, what the
    head reads. `logits` = head(z). `target`: as the loss takes it. `blocks`: where each modality's features lie in the
    last axis of z if z is their concatenation. `rerun(names)`: logits with these modalities' features set to zero.
    `samples`: how many of the batch count, all by default; 0 where a process takes part without a sample of its own.
    `inputs`: what the encoders read. `active`: the modalities whose turn it is, where a schedule trains them in turn;
    None: all.
    """

    features: Mapping[str, Any]
    fused: Tensor
    logits: Tensor
    target: Tensor
    epoch: int = 0
    index: int = 0
    blocks: Mapping[str, slice] | None = None
    rerun: Callable[[Collection[str]], Tensor] | None = None
    samples: int | None = None
    inputs: Mapping[str, Any] | None = None
    active: frozenset[str] | None = None

    @property
    def count(self) -> int:
        """The number of samples that count."""
        return self.target.shape[0] if self.samples is None else self.samples


class Parts:
    """Which trainable parameters belong to which modality.

    Groups are made by module object, never by name. An empty group and a parameter in two groups are ValueErrors.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._parameters: dict[str, list[nn.Parameter]] = {
            name: [parameter for parameter in module.parameters() if parameter.requires_grad]
            for name, module in modules.items()
        }
        owner: dict[Tensor, str] = {}
        for name, parameters in self._parameters.items():
            if not parameters:
                raise ValueError(f"modality {name!r} has no trainable parameter, so nothing of it can be balanced")
            for parameter in parameters:
                if parameter in owner:
                    raise ValueError(
                        f"modalities {owner[parameter]!r} and {name!r} share a parameter of shape "
                        f"{tuple(parameter.shape)}; a shared parameter belongs to no modality"
                    )
                owner[parameter] = name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._parameters)

    def parameters(self, name: str) -> list[nn.Parameter]:
        """The trainable parameters of one modality."""
        return self._parameters[name]

    def gradients(self, name: str) -> list[Tensor]:
        """The gradients of one modality that exist now."""
        return [parameter.grad for parameter in self._parameters[name] if parameter.grad is not None]

    @torch.no_grad()
    def gradient_norm(self, name: str) -> Tensor:
        """The Euclidean norm of one modality's whole gradient, a scalar tensor; 0 where no gradient exists now."""
        gradients = self.gradients(name)
        if not gradients:
            return torch.zeros((), device=self._parameters[name][0].device)
        norms = [each.float() for each in torch._foreach_norm(gradients)]
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm

    @torch.no_grad()
    def scale_(self, factors: Mapping[str, Tensor]) -> None:
        """Multiply each modality's gradients by its scalar tensor, in place and without a host synchronisation."""
        for name, factor in factors.items():
            gradients = self.gradients(name)
            if gradients:
                torch._foreach_mul_(gradients, factor)


class Probe(ABC):
    """The network between two epochs, as methods may look at it. `epochs`: of the whole training."""

    epochs: int

    @abstractmethod
    def steps(self, split: str, share: float = 1.0) -> Iterator[Step]:
        """Every sample of "train" or "valid" once, in eval mode and without a graph; the same in every process.

        `share` below 1: only so many of the samples, drawn anew in each epoch, at least one.
        """

    @abstractmethod
    def rehearse(self, method: Modulation, epochs: int) -> Rehearsal:
        """Train copies of the network and of `method` for `epochs` epochs, from where they are.

        The optimiser is a fresh one of the same kind. The originals, their optimiser and the random state stay as they
        are. Parameters that `method` shares with the network are shared by the copies as well.
        """


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal left: a probe of the trained copy, the copied method, and the copied encoders by modality."""

    probe: Probe
    method: Any
    encoders: Mapping[str, nn.Module]


class Modulation(nn.Module, ABC):
    """A balancing method. Runtime values are positional, the method's parameters keyword-only.

    Call `objective` before backward (once per micro-batch), `modulate_` after the last backward of an optimiser step,
    after unscaling and before clipping; or `backward`, which is both around one loss.backward(). What a method
    remembers between steps is a buffer, so that a checkpoint holds it. Nothing in a step moves a value to the host.
    """

    second_order = False
    """Whether it differentiates the encoders' gradients again: fast kernels of attention cannot, plain ones can."""

    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Called before an epoch's first step; without a probe where a training goes on in the middle of the epoch."""

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """What is differentiated: the task's loss of `step.logits`, plus the penalty unless a method overrides this."""
        return loss + self.penalty(step)

    def penalty(self, step: Step) -> Tensor | float:
        """A term of the loss, before backward."""
        return 0.0

    def modulate_(self, step: Step) -> Record:
        """Edit `.grad` in place, after backward; returns what to log."""
        return {}

    def rates(self) -> Mapping[str, Tensor]:
        """Factors on the learning rates, per modality."""
        return {}

    def mask(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """Features before fusion, dropped or changed."""
        return features

    def end_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Called after an epoch's last step."""

    def backward(self, loss: Tensor, step: Step, backward: Callable[[Tensor], Any] = Tensor.backward) -> Record:
        """The one call that replaces `loss.backward()`."""
        backward(self.objective(loss, step))
        return self.modulate_(step)
