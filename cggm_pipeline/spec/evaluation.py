"""Evaluation: what is measured of the trained network beyond the task's metrics."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cggm_pipeline.spec.base import Spec
from cggm_pipeline.spec.patterns import Share


class Evaluation(Spec):
    """What `evaluate` measures on the test split besides the metrics and the probes. Nothing is trained for it."""

    subsets: bool = Field(
        False,
        description="the metrics with every subset of the modalities missing, and each one's Shapley contribution",
    )
    missing_rates: Annotated[tuple[Share, ...], Field(max_length=100, strict=False)] = Field(
        (), description="the metrics with every modality missing at each of these rates, as `missing: {kind: rate}`"
    )
