"""What a row costs: parameters, time, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cggm_pipeline.report.runs import RowRun


@dataclass(frozen=True)
class Cost:
    """Means over the seeds, None where not measured: seconds per step and per training, peak bytes, parameters.

    `classifiers`: parameters trained beside the network and dropped at inference.
    """

    step: float | None = None
    total: float | None = None
    memory: float | None = None
    parameters: int | None = None
    classifiers: int | None = None
    per_module: Mapping[str, int] = field(default_factory=dict)


def cost_of(run: RowRun) -> Cost:
    """From cost.json (seconds, bytes) and summary.json (parameters per module)."""
    per_module = {str(name): int(size) for name, size in (run.summary.get("parameters") or {}).items()}
    classifiers = run.summary.get("classifier_parameters")
    return Cost(
        step=_mean(run.cost, "step_seconds"),
        total=_mean(run.cost, "seconds"),
        memory=_mean(run.cost, "memory"),
        parameters=sum(per_module.values()) or None,
        classifiers=None if classifiers is None else int(classifiers),
        per_module=per_module,
    )


def _mean(cost: Mapping[str, Any], name: str) -> float | None:
    values = [float(seed[name]) for seed in (cost.get("seeds") or {}).values() if seed.get(name) is not None]
    return sum(values) / len(values) if values else None
