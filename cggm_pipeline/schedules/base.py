"""The promise every schedule keeps."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from cggm_pipeline.modulations.base import Probe

Turn = frozenset[str] | None
"""The modalities that one optimiser step trains; None: all."""


@dataclass(frozen=True)
class Draw:
    """What an epoch takes. `order`: positions in the training split, (n,) int64 on the CPU.

    `absent`: modality to (n,) bool, aligned with `order`: where it is left out, as if the sample lacked it.
    """

    order: Tensor
    absent: Mapping[str, Tensor] = field(default_factory=dict)


class Schedule(ABC):  # noqa: B024 - every call has a default
    """Built as `Class(modalities, *, ...)`. Deterministic: what is random comes from the seed and epoch it is given.

    It keeps nothing between epochs: a training that goes on in the middle of one gets the epoch's draw from its
    checkpoint.
    """

    def __init__(self, modalities: Sequence[str]) -> None:
        self.modalities = tuple(sorted(modalities))

    def draw(self, order: Tensor, seed: int, epoch: int, probe: Probe) -> Draw:
        """What this epoch takes, given the shuffled `order` of an ordinary one. `probe`: see `Modulation`."""
        return Draw(order)

    def turns(self, epoch: int, index: int) -> Sequence[Turn]:
        """One entry per optimiser step on batch number `index` of the epoch; at least one."""
        return (None,)
