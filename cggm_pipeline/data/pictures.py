"""Image files that were decoded once: whether they are sound, and what they add to the statistics."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.data.images import decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.statistics import Part, part


class Picture(bytes):
    """The bytes of an image file that `decode` has read before, so that nobody needs to decode it to check it.

    `part`: what its pixels add to the statistics of its modality, where that was asked for.
    """

    part: Part | None = None

    @classmethod
    def of(cls, data: bytes, part: Part | None) -> Picture:
        """These bytes, with their part."""
        picture = cls(data)
        picture.part = part
        return picture


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
