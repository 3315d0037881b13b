"""Gradient blending (Wang et al., CVPR 2020, arXiv 1905.12681)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._apart import Apart, Loss
from cggm_pipeline.modulations._classifiers import Classifiers
from cggm_pipeline.modulations._preset import precise
from cggm_pipeline.modulations.base import Modulation, Probe, Record, Step
from cggm_pipeline.modulations.none import NoModulation

Mode = Literal["offline", "online"]


class GBlending(Modulation):
    """Weighs the losses of every modality's own head and of the joint head by how well each of them generalises.

    L = sum_k w_k L_k,  k over the modalities and the joint head;  sum_k w_k = 1
    w_k = (1/Z) dG_k / dO_k^2,   dG_k = L^V_k(N) - L^V_k(N+n),   O_k = L^V_k - L^T_k,   dO_k = O_k(N+n) - O_k(N)

    `classifiers`: per modality a module from `step.features[name]` to logits; it teaches its encoder, and is dropped at
    inference. `loss(logits, target)`: a scalar. `parameters()` are the classifiers'.

    The losses at N and N+n are those of copies that are trained from the present weights for n epochs: each modality's
    own network (one rehearsal for all of them, see `Apart`) and the joint network with the task's loss alone.
    mode "offline": once, before the first epoch, n = all epochs; "online": before every `super_epoch`-th epoch, n =
    `super_epoch` (or what is left). This happens in `start_epoch`, which needs a probe; without one all weights are
    equal, or what was copied into the buffer `weights` (the modalities sorted by name, the joint head last).

    Ours: dG_k and |dO_k| are at least `floor`: otherwise weights explode, or a head whose loss on the held-out samples
    grows would get a negative one (0 would leave the joint head untrained, and the prediction to chance). A head whose
    loss is not finite gets 0; if none is left, all are equal. The paper holds out a part of the training split; here
    L^V is that of the validation split, which also selects the epoch. Raises ValueError for parameters not allowed.
    """

    weights: Tensor

    def __init__(
        self,
        classifiers: Mapping[str, nn.Module],
        loss: Loss,
        *,
        mode: Mode = "online",
        super_epoch: int = 10,
        floor: float = 1e-4,
    ) -> None:
        super().__init__()
        if mode not in get_args(Mode):
            raise ValueError(f"mode is {mode!r}; allowed: {', '.join(get_args(Mode))}")
        if super_epoch < 1 or floor <= 0:
            raise ValueError(f"super_epoch is {super_epoch}, floor is {floor}; allowed: at least 1, more than 0")
        if len(classifiers) < 2:
            raise ValueError(
                f"classifiers has {sorted(classifiers)}; blending needs one for each of 2 or more modalities"
            )
        self.apart = Apart(classifiers, loss)
        self.mode, self.super_epoch, self.floor = mode, super_epoch, floor
        heads = len(classifiers) + 1
        self.register_buffer("weights", torch.full((heads,), 1 / heads))
        self._seen: list[Tensor] = []

    @property
    def classifiers(self) -> Classifiers:
        """By modality, sorted by name."""
        return self.apart.classifiers

    def start_epoch(self, epoch: int, probe: Probe | None = None) -> None:
        """Estimate the weights, where this epoch begins a super-epoch and there is a probe."""
        if probe is None:
            return
        every = probe.epochs if self.mode == "offline" else self.super_epoch
        if epoch % every == 0:
            self.weights.copy_(self._estimate(probe, min(every, probe.epochs - epoch)))
            _distributed.first_(self.weights)

    def objective(self, loss: Tensor, step: Step) -> Tensor:
        """sum_k w_k L_k, with `loss` as the joint head's."""
        losses = torch.cat([self.apart.losses(step), loss.reshape(1)])
        self._seen.append(losses.detach()[:-1])
        return (self.weights * losses).sum()

    @torch.no_grad()
    def modulate_(self, step: Step) -> Record:
        """Logs `unimodal_loss` and `weight` per modality and `joint_weight`."""
        self.apart.modulate_(step)
        seen, self._seen = self._seen, []
        if not seen:
            raise RuntimeError("modulate_ was called without objective: call objective before backward")
        weights, losses = self.weights.clone(), torch.stack(seen).mean(0)
        record: Record = {
            "unimodal_loss": dict(zip(self.classifiers, losses, strict=True)),
            "weight": dict(zip(self.classifiers, weights[:-1], strict=True)),
        }
        return {**record, "joint_weight": weights[-1]}

    def _estimate(self, probe: Probe, epochs: int) -> Tensor:
        before = measured(probe, self.apart, lambda step: torch.cat([self.apart.losses(step), self._joint(step)]))
        alone, joint = probe.rehearse(self.apart, epochs), probe.rehearse(NoModulation(), epochs)
        apart = measured(alone.probe, alone.method, alone.method.losses)
        together = measured(joint.probe, joint.method, self._joint)
        after = {split: torch.cat([apart[split], together[split]]) for split in before}
        return blend(before, after, self.floor)

    def _joint(self, step: Step) -> Tensor:
        return self.apart.loss(step.logits, step.target).reshape(1)


@torch.no_grad()
def measured(probe: Probe, method: nn.Module, losses: Callable[[Step], Tensor]) -> dict[str, Tensor]:
    """The mean of every loss over the samples of "train" and of "valid", with `method` in eval mode."""
    training = method.training
    method.eval()
    found = {}
    for split in ("train", "valid"):
        steps = [(losses(step) * step.count, step.count) for step in probe.steps(split)]
        total = torch.stack([each.to(precise(each.device)) for each, _ in steps]).sum(0)
        found[split] = total / sum(count for _, count in steps)
    method.train(training)
    return found


def blend(before: Mapping[str, Tensor], after: Mapping[str, Tensor], floor: float) -> Tensor:
    """w_k = (1/Z) max(dG_k, floor) / max(|dO_k|, floor)^2, from the heads' losses on "train" and "valid", (M + 1,)."""
    gain = before["valid"] - after["valid"]
    gap = (after["valid"] - after["train"]) - (before["valid"] - before["train"])
    share = gain.clamp(min=floor) / gap.abs().clamp(min=floor).square()
    share = torch.where(gain.isfinite() & gap.isfinite(), share, 0.0)
    total = share.sum()
    return torch.where(total > 0, share / total, 1 / len(share))
