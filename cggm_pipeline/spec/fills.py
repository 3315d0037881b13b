"""Fills: what stands in for the features of a modality that a sample does not have."""

from __future__ import annotations

from typing import Literal

from cggm_pipeline.spec.base import Kind


class Zeros(Kind):
    """Absent features become zeros."""

    kind: Literal["zeros"] = "zeros"


Fill = Zeros
