"""A name that is none of the modalities in use."""

from __future__ import annotations

from collections.abc import Iterable

from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys, On
from cggm_pipeline.spec.nearest import did_you_mean

USE: Keys = ("use",)
MODALITIES: Keys = ("modalities",)


def not_in_use(path: Keys, name: str, used: Iterable[str], *, on: On = "value") -> Finding:
    """The finding at `path`, where `name` stands."""
    hint, allowed = did_you_mean(name, used)
    return Finding(path, f"there is no modality '{name}' in use", allowed, hint, on, also=(USE,))
