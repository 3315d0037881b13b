"""Whose turn a step is, where a schedule trains one modality at a time."""

from __future__ import annotations

from collections.abc import Collection

from cggm_pipeline.modulations.base import Step


def turn_of(step: Step, names: Collection[str]) -> str | None:
    """The modality whose turn it is; None: all together. ValueError where it is no single one of the step's."""
    if step.active is None:
        return None
    if len(step.active) != 1 or not step.active <= set(names):
        found, allowed = sorted(step.active), ", ".join(sorted(names))
        raise ValueError(f"step.active is {found}; allowed: one of {allowed}, or None for a step of all together")
    return next(iter(step.active))
