"""fusions: the features of all modalities to one z, which one linear head reads. Built as `Class(widths, *, ...)`."""

from cggm_pipeline.fusions.base import Fusion

__all__ = ["Fusion"]
