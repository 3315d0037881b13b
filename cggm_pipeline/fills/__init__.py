"""fills: what stands in for the features of a modality that a sample lacks. Built as `Class(widths, *, ...)`."""

from cggm_pipeline.fills.base import Fill

__all__ = ["Fill"]
