"""The ordinary epoch."""

from __future__ import annotations

from cggm_pipeline.schedules.base import Schedule


class Everything(Schedule):
    """Every sample with all its modalities, one optimiser step per batch on all of them."""
