"""tasks: what is predicted, how wrong it is (`losses/`), what is measured. Built as `Class(out_features, *, ...)`."""

from cggm_pipeline.tasks.base import Task

__all__ = ["Task"]
