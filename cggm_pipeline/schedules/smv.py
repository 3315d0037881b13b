"""Sample-level modality valuation: resampling by Shapley values (Wei et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Literal

import torch
from torch import Tensor

from cggm_pipeline.data.sampling import derived_seed
from cggm_pipeline.modulations.base import Probe, Step
from cggm_pipeline.schedules.base import Draw, Schedule


class SMV(Schedule):
    """Before each epoch from `warmup` on, what a modality contributes to each training sample is measured and repaid.

    v(S) = |S| where the prediction from the modalities in S alone (the others' features at zero, `step.rerun`) is
    right, else 0; v(none) = 0. phi_m = the Shapley value of m in v; all of a sample's values add up to M or to 0.

    level "sample": sample i is appended with m alone (the other modalities absent) once where 0.4 <= phi_m < 1, twice
    where -0.1 <= phi_m < 0.4, three times below. With two modalities the values are -0.5, 0, 0.5, 1, 1.5: the paper's
    table; the limits between them are the released code's, the general M is ours. A sample without m is not repeated.
    level "modality": with the mean phi of a random `share` of the samples, int(p_m N) samples are drawn with
    replacement and appended with m alone, p_m = 2/3 alpha max(mean over j != m of phi_j - phi_m, 0); with two
    modalities that is 2/3 alpha |phi_1 - phi_2| for the lower one, as in the paper, whose other two functions (tanh and
    power) are left out. The share is drawn without replacement, in the released code with it.

    Everything random comes from (seed, epoch).
    """

    def __init__(
        self,
        modalities: Sequence[str],
        *,
        level: Literal["sample", "modality"] = "sample",
        warmup: int = 5,
        share: float = 0.2,
        alpha: float = 1.0,
    ) -> None:
        super().__init__(modalities)
        self._added = {"sample": self._by_sample, "modality": self._by_modality}[level]
        self._warmup, self._share, self._alpha = warmup, share, alpha

    def draw(self, order: Tensor, seed: int, epoch: int, probe: Probe) -> Draw:
        if epoch < self._warmup:
            return Draw(order)
        generator = torch.Generator().manual_seed(derived_seed("smv", seed, epoch))
        return shuffled(order, self._added(order, probe, generator), generator)

    def _by_sample(self, order: Tensor, probe: Probe, generator: torch.Generator) -> dict[str, Tensor]:
        repeats = torch.cat([self._repeats(step) for step in probe.steps("train")])[order]
        return {name: order.repeat_interleave(repeats[:, place]) for place, name in enumerate(self.modalities)}

    def _repeats(self, step: Step) -> Tensor:
        """How often each sample is repeated with each modality alone, (B, M) on the CPU."""
        found = repetitions(shapley(values(step, self.modalities)), len(self.modalities))
        assert step.inputs is not None  # a probe gives them
        for place, name in enumerate(self.modalities):
            present = step.inputs[name].present
            if present is not None:
                found[:, place] *= present.cpu()
        return found

    def _by_modality(self, order: Tensor, probe: Probe, generator: torch.Generator) -> dict[str, Tensor]:
        whole = factorial(len(self.modalities))
        steps = list(probe.steps("train", self._share))
        found = torch.cat([shapley(values(step, self.modalities)) for step in steps])
        means = found.double().mean(0) / whole
        others = (means.sum() - means) / (len(means) - 1)
        numbers = (self._alpha * 2 / 3 * (others - means).clamp_min(0) * len(order)).long().tolist()
        return {
            name: _drawn(self._having(name, order, steps, probe), number, generator)
            for name, number in zip(self.modalities, numbers, strict=True)
        }

    def _having(self, name: str, order: Tensor, steps: Sequence[Step], probe: Probe) -> Tensor:
        """The positions of `order` whose samples have a modality; all are looked at only where some may lack it."""
        if all(step.inputs is None or step.inputs[name].present is None for step in steps):
            return order
        present = [step.inputs[name].present.cpu() for step in probe.steps("train") if step.inputs is not None]
        return order[torch.cat(present)[order]]


def _drawn(among: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """`number` of these positions, with replacement; none where there is none to draw from."""
    return among[torch.randint(max(len(among), 1), (number * bool(len(among)),), generator=generator)]


def values(step: Step, names: Sequence[str]) -> Mapping[frozenset[str], Tensor]:
    """v(S) of every non-empty subset, (B,) int64 on the CPU."""
    found = {}
    assert step.rerun is not None  # a probe gives it
    for size in range(1, len(names) + 1):
        for kept in combinations(names, size):
            logits = step.logits if size == len(names) else step.rerun([name for name in names if name not in kept])
            found[frozenset(kept)] = size * (logits.argmax(1) == step.target).long().cpu()
    return found


def shapley(value: Mapping[frozenset[str], Tensor]) -> Tensor:
    """M! times the Shapley values, (B, M) int64, modalities sorted by name: whole numbers, so that limits are exact."""
    names = sorted(frozenset().union(*value))
    nothing = torch.zeros_like(next(iter(value.values())))
    columns = []
    for name in names:
        others = [other for other in names if other != name]
        total = nothing.clone()
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1)
            for kept in map(frozenset, combinations(others, size)):
                total += weight * (value[kept | {name}] - value.get(kept, nothing))
        columns.append(total)
    return torch.stack(columns, 1)


def repetitions(scaled: Tensor, number: int) -> Tensor:
    """0 to 3 from M! phi: below 1, below 0.4, below -0.1."""
    tenth = 10 * scaled
    whole = factorial(number)
    return sum(((tenth < limit * whole).long() for limit in (10, 4, -1)), start=torch.zeros_like(scaled))


def shuffled(order: Tensor, added: Mapping[str, Tensor], generator: torch.Generator) -> Draw:
    """The samples of `order` and those added with one modality alone, in a random order."""
    positions = torch.cat([order, *added.values()])
    only = torch.cat([torch.full((len(order),), -1)] + [torch.full((len(a),), i) for i, a in enumerate(added.values())])
    turn = torch.randperm(len(positions), generator=generator)
    positions, only = positions[turn], only[turn]
    return Draw(positions, {name: (only >= 0) & (only != place) for place, name in enumerate(added)})
