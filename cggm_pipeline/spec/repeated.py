"""A value that stands twice in a list of different ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys


def repeated(values: Sequence[object] | None, path: Keys, what: str) -> Iterator[Finding]:
    """A finding for each value of the list at `path` that stood there before. `what`: what the values are."""
    seen = set()
    for index, value in enumerate(values or ()):
        if value in seen:
            yield Finding((*path, index), f"the {what} {value} stands twice", hint="remove one of them")
        seen.add(value)
