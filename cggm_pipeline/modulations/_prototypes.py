"""Class means of every modality's features, and what they say about a feature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._head import full_precision
from cggm_pipeline.modulations._pooled import pooled
from cggm_pipeline.modulations.base import Step

FAR = -1e9
"""The logit of a class without a prototype: its probability is 0, and 0 times its logarithm is 0."""


class Prototypes(nn.Module):
    """c_mk, (C, D_m) per modality, as buffers of no width until the first `update_` (or a checkpoint) says D_m."""

    known: Tensor

    def __init__(self, names: Sequence[str], classes: int, device: torch.device) -> None:
        super().__init__()
        self._places = {name: f"means_{number}" for number, name in enumerate(names)}
        for place in self._places.values():
            self.register_buffer(place, torch.zeros(classes, 0, device=device))
        self.register_buffer("known", torch.zeros(classes, dtype=torch.bool, device=device))
        self.register_load_state_dict_pre_hook(_take_widths)  # type: ignore[no-untyped-call]

    @property
    def there(self) -> bool:
        """Whether there are prototypes yet."""
        return all(self.get_buffer(place).shape[1] > 0 for place in self._places.values())

    def means(self, name: str) -> Tensor:
        """(C, D_m): the prototypes of one modality; zeros for classes that are not `known`."""
        return self.get_buffer(self._places[name])

    @torch.no_grad()
    def update_(self, steps: Iterable[Step], momentum: float) -> None:
        """c <- momentum c + (1 - momentum) mean; the mean where a class is new; c where it has no sample in `steps`."""
        sums: dict[str, Tensor] = {}
        counts = torch.zeros(len(self.known), device=self.known.device)
        for step in steps:
            members = functional.one_hot(step.target.long(), len(self.known))
            counts += members.sum(0)
            for name in self._places:  # a product of matrices: adding row by row is not deterministic on a GPU
                [values] = full_precision([pooled(step.features[name])])
                total = members.T.to(values.dtype) @ values
                sums[name] = sums[name] + total if name in sums else total
        there = self.there
        for name, place in self._places.items():
            mean = sums[name] / counts.clamp_min(1)[:, None]
            old = self.means(name) if there else torch.zeros_like(mean)
            moved = torch.where(self.known[:, None], momentum * old + (1 - momentum) * mean, mean)
            setattr(self, place, _distributed.first_(torch.where(counts[:, None] > 0, moved, old)))
        self.known |= counts > 0

    def log_probabilities(self, features: Mapping[str, Any]) -> Tensor:
        """log softmax_k(-|z_m - c_mk|), (M, B, C) in at least float32; 0 is the probability of classes not known."""
        return torch.stack([self._log_probabilities(name, features[name]) for name in self._places])

    def _log_probabilities(self, name: str, features: Any) -> Tensor:
        exact = "donot_use_mm_for_euclid_dist"  # the other way loses half of the digits of short distances
        [values] = full_precision([pooled(features)])
        distance = torch.cdist(values, self.means(name).to(values.dtype), compute_mode=exact)
        return (-distance).masked_fill(~self.known, FAR).log_softmax(1)


def _take_widths(module: Prototypes, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Before a checkpoint is loaded: buffers as wide as its prototypes are. Any other shape is torch's to refuse."""
    for name, buffer in list(module.named_buffers(recurse=False)):
        found = state.get(prefix + name)
        if found is not None and found.dim() == 2 and len(found) == len(buffer):
            setattr(module, name, buffer.new_zeros(found.shape, dtype=found.dtype))
