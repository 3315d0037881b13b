"""Evaluation: what is measured of the trained network beyond the task's metrics."""

from __future__ import annotations

from pydantic import Field

from cggm_pipeline.spec.base import Spec


class Evaluation(Spec):
    """What `evaluate` measures on the test split besides the metrics and the probes."""

    subsets: bool = Field(
        False,
        description="the metrics with every subset of the modalities missing, and each one's Shapley contribution",
    )
