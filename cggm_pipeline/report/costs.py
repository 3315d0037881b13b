"""What a row costs: parameters, time, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cggm_pipeline.report.runs import RowRun


@dataclass(frozen=True)
class Cost:
    """Means over the seeds, None where not measured: seconds per step and per training, peak bytes, parameters.

    `trainable`: those of the network's parameters that learned (None: not known, from before there were adapters).
    `classifiers`: parameters trained beside the network and dropped at inference.
    """

    step: float | None = None
    total: float | None = None
    memory: float | None = None
    parameters: int | None = None
    trainable: int | None = None
    classifiers: int | None = None
    per_module: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """The part of the network's parameters that learned, below 1; None where all did, or it is not known."""
        if not self.parameters or self.trainable is None or self.trainable >= self.parameters:
            return None
        return self.trainable / self.parameters


def cost_of(run: RowRun) -> Cost:
    """From cost.json (seconds, bytes) and summary.json (parameters per module)."""
    return replace(
        size_of(run.summary),
        step=_mean(run.cost, "step_seconds"),
        total=_mean(run.cost, "seconds"),
        memory=_mean(run.cost, "memory"),
    )


def size_of(summary: Mapping[str, Any]) -> Cost:
    """The parameters alone, from a seed's summary."""
    per_module = {str(name): int(size) for name, size in (summary.get("parameters") or {}).items()}
    trainable, classifiers = summary.get("trainable"), summary.get("classifier_parameters")
    return Cost(
        parameters=sum(per_module.values()) or None,
        trainable=None if trainable is None else int(trainable),
        classifiers=None if classifiers is None else int(classifiers),
        per_module=per_module,
    )


def _mean(cost: Mapping[str, Any], name: str) -> float | None:
    values = [float(seed[name]) for seed in (cost.get("seeds") or {}).values() if seed.get(name) is not None]
    return sum(values) / len(values) if values else None
