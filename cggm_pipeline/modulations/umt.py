"""Unimodal teachers (Du et al., ICML 2023, arXiv 2305.01233)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations._apart import Apart, Loss
from cggm_pipeline.modulations._classifiers import Classifiers
from cggm_pipeline.modulations._features import real, tensors
from cggm_pipeline.modulations._head import full_precision
from cggm_pipeline.modulations.base import Modulation, Probe, Record, Step


class UMT(Modulation):
    """Pulls each encoder's features to those of a frozen encoder that was trained on its modality alone.

    L <- L + lam sum_m MSE(z_m, t_m(x_m)),  t_m: the teacher of modality m, in eval mode and without a graph

    `encoders`: the network's, by modality; a teacher is built like its encoder. They learn in `start_epoch(0, probe)`:
    copies of the encoders, from the network's first weights, are trained for `epochs` epochs (null: as many as the
    network), each under `classifiers[m]` and `loss(logits, target)` (see `Apart`); the last epoch's weights are kept.
    Teachers of one's own: `teach({"audio": encoder, ...})`; then `classifiers` may be {}.

    MSE: the mean over samples of each sample's mean over its real tokens (or all maps of a pyramid); a sample that
    lacks the modality (`step.inputs[m].present`) adds 0. `teachers` are submodules that do not learn, held by a
    checkpoint; `parameters()` are the classifiers', which get no gradient but in the rehearsal. lam 0 does nothing.
    Raises ValueError where `step.inputs` is missing or shapes differ, RuntimeError where nobody taught the teachers.
    """

    taught: Tensor

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classifiers: Mapping[str, nn.Module],
        loss: Loss,
        *,
        lam: float = 10.0,
        epochs: int | None = None,
    ) -> None:
        super().__init__()
        if lam < 0 or (epochs is not None and epochs < 1):
            raise ValueError(f"lam is {lam}, epochs is {epochs}; allowed: lam at least 0, epochs at least 1 or None")
        self.lam, self.epochs = lam, epochs
        self.teachers = Classifiers(copy.deepcopy(dict(encoders)) if lam else {})
        self.teachers.requires_grad_(False).eval()
        self.register_buffer("taught", torch.tensor(False))
        self._taught = False  # the same on the host, where a step may ask
        self.register_load_state_dict_post_hook(_remember)  # type: ignore[no-untyped-call]
        self.apart = Apart(classifiers if lam else {}, loss)  # copies of it learn, in the rehearsal
        self._seen: list[Tensor] = []

    def train(self, mode: bool = True) -> Self:
        """The mode of this module; the teachers stay in eval mode."""
        super().train(mode)
        self.teachers.eval()
        return self

    def teach(self, encoders: Mapping[str, nn.Module]) -> None:
        """Copy trained encoders, by modality, into the teachers."""
        if set(encoders) != set(self.teachers):
            raise ValueError(f"encoders of {sorted(encoders)} were given; the teachers are {sorted(self.teachers)}")
        for name in self.teachers:
            self.teachers[name].load_state_dict(encoders[name].state_dict())
        self.taught.fill_(True)
        self._taught = True

    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Train the teachers, if nobody has and there is a probe."""
        if self.lam and probe is not None and not self._taught:
            if set(self.apart.classifiers) != set(self.teachers):
                found = f"classifiers of {sorted(self.apart.classifiers)}, encoders of {sorted(self.teachers)}"
                raise ValueError(f"{found}: give a classifier for each encoder, or call teach(encoders) first")
            epochs = probe.epochs if self.epochs is None else self.epochs
            self.teach(probe.rehearse(self.apart, epochs).encoders)

    def penalty(self, step: Step) -> Tensor | float:
        """lam * the sum of the distances, in the encoders' graphs; once per micro-batch, before backward."""
        if not self.lam:
            return 0.0
        if not self._taught:
            raise RuntimeError("the teachers have learned nothing: call start_epoch(0, probe) or teach(encoders) first")
        if step.inputs is None:
            raise ValueError("the teachers read what the encoders read: give Step(inputs=...)")
        distances = torch.stack(
            [self._distance(name, step.features[name], step.inputs[name]) for name in self.teachers]
        )
        self._seen.append(distances.detach())
        return self.lam * distances.sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `teacher_distance` per modality (mean over micro-batches, this process's)."""
        if not self.lam:
            return {}
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without penalty: call penalty before backward")
        return {"teacher_distance": dict(zip(self.teachers, torch.stack(seen).mean(0), strict=True))}

    def _distance(self, name: str, features: Any, inputs: Any) -> Tensor:
        with torch.no_grad():
            wanted = tensors(self.teachers[name](inputs))
        found, there = tensors(features), real(features)
        present: Tensor | None = getattr(inputs, "present", None)
        if [each.shape for each in found] != [each.shape for each in wanted]:
            shapes = [tuple(each.shape) for each in found], [tuple(each.shape) for each in wanted]
            raise ValueError(f"features of {name!r} have shapes {shapes[0]}, the teacher's {shapes[1]}")
        pairs = zip(found, wanted, strict=True)
        each = torch.stack([per_sample(*pair, there) for pair in pairs]).mean(0)
        # masked_fill and not a product: what an encoder says about an absent sample may be NaN
        return (each if present is None else each.masked_fill(~present, 0)).mean()


def per_sample(found: Tensor, wanted: Tensor, there: Tensor | None) -> Tensor:
    """(B,): each sample's mean squared difference, over the tokens that are `there`, (B, T) bool; null: over all."""
    found, wanted = full_precision([found, wanted])
    squares = (found - wanted).square()
    if there is None:
        return squares.flatten(1).mean(1)
    kept = squares.masked_fill(~there.unsqueeze(-1), 0).sum((1, 2))
    return kept / (there.sum(1).clamp(min=1) * squares.shape[-1])


def _remember(module: nn.Module, keys: object) -> None:
    assert isinstance(module, UMT)
    module._taught = bool(module.taught)
