"""The log of an epoch: sums on the device, fetched once at the epoch's end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

SIGNED = ("B", "cos")
"""Records whose sign says whether a modality is pushed forwards or backwards: the share of negatives is logged too."""

Columns = tuple[str, ...]


class EpochLog:
    """Means over an epoch's steps of what the steps recorded, one column per scalar.

    A record maps names to scalar tensors or to {modality: scalar tensor}; the latter become columns `name_modality`.
    A signed one also gives `name_negative`: the share of steps in which it was below zero for at least one modality.
    """

    def __init__(self) -> None:
        self._sums: dict[Columns, Tensor] = {}
        self._steps: dict[Columns, int] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """One step's record. No synchronisation with the host."""
        columns, values = flatten(record)
        if not columns:
            return
        stacked = torch.stack([value.detach().to(torch.float64) for value in values])
        before = self._sums.get(columns)
        self._sums[columns] = stacked if before is None else before.to(stacked.device) + stacked
        self._steps[columns] = self._steps.get(columns, 0) + 1

    def fetch(self) -> dict[str, float]:
        """The means, on the host; the log is empty afterwards."""
        sums: dict[str, float] = defaultdict(float)
        steps: dict[str, int] = defaultdict(int)
        for columns, total in self._sums.items():
            for column, value in zip(columns, total.tolist(), strict=True):
                sums[column] += value
                steps[column] += self._steps[columns]
        self._sums, self._steps = {}, {}
        return {column: value / steps[column] for column, value in sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """The sums so far, for a checkpoint."""
        return {"sums": dict(self._sums), "steps": dict(self._steps)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Sums as they were."""
        self._sums, self._steps = dict(state["sums"]), dict(state["steps"])


def flatten(record: Mapping[str, Any]) -> tuple[Columns, list[Tensor]]:
    """Names and scalars of a record, modalities in their own columns, shares of negatives appended."""
    columns: dict[str, Tensor] = {}
    for name, value in record.items():
        if not isinstance(value, Mapping):
            columns[name] = value
            continue
        columns |= {f"{name}_{modality}": scalar for modality, scalar in value.items()}
        if name in SIGNED and value:
            columns[f"{name}_negative"] = (torch.stack(list(value.values())) < 0).any()
    return tuple(columns), list(columns.values())
