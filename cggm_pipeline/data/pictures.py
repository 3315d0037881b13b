"""Image files that were decoded once: whether they are sound, and what they add to the statistics."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.data.images import decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.statistics import Part, part


def examine(path: Path, form: Form, *, measure: bool) -> tuple[int, Part | None] | str:
    """The size of an image file in bytes and, to `measure`, its part in the statistics; or what is wrong, in words."""
    try:
        data = path.read_bytes()
        pixels = decode(data, form.shape[0] or 0)
    except OSError as error:
        return f"the image {path.name} cannot be read ({error.strerror})"
    except ValueError as error:
        return f"the image {path.name}: {error}"
    return len(data), part(form, pixels) if measure else None
