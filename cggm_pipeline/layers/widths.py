"""The one width that features of several modalities share."""

from __future__ import annotations

from collections.abc import Mapping

from cggm_pipeline.errors import BuildError


def one_width(widths: Mapping[str, int], what: str) -> int:
    """The width of all modalities' features; a BuildError that says what needs it where they differ."""
    if len(set(widths.values())) != 1:
        found = ", ".join(f"{name} {widths[name]}" for name in sorted(widths))
        raise BuildError(f"{what} needs features of one width, but they are: {found}; make the encoders equally wide")
    return next(iter(widths.values()))
