"""Joint training and nothing else."""

from __future__ import annotations

from cggm_pipeline.modulations.base import Modulation


class NoModulation(Modulation):
    """Changes nothing: the baseline that every balancing method must beat."""
