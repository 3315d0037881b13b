"""Imbalance on purpose: one modality learns in fewer steps. Ours."""

from __future__ import annotations

from collections.abc import Sequence

from cggm_pipeline.errors import BuildError
from cggm_pipeline.schedules.base import Schedule, Turn


class Thinned(Schedule):
    """The encoder of `modality` learns in batches 0, `every`, 2 `every`, ... of an epoch; else it stands still.

    It takes part in every prediction. "Stands still": its gradients do not exist, so that neither momentum nor weight
    decay moves it; running statistics (batch normalisation) go on. `every` = 1 is the ordinary epoch.
    """

    def __init__(self, modalities: Sequence[str], *, modality: str, every: int = 2) -> None:
        super().__init__(modalities)
        if modality not in self.modalities:
            raise BuildError(f"modality: there is no modality '{modality}' (allowed: {', '.join(self.modalities)})")
        self._others = frozenset(self.modalities) - {modality}
        self._every = every

    def turns(self, epoch: int, index: int) -> Sequence[Turn]:
        return (None if index % self._every == 0 else self._others,)
