"""CH-SIMS (Yu et al. 2020, ACL): 2,281 Chinese video clips, a sentiment in [-1, 1] each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._utterances import MODALITIES, read
from cggm_pipeline.data.sources.base import Raw, Source


class CHSIMS(Source):
    """The pickle `path` of MMSA: text 768, audio 33, vision 709 features; each of its own length.

    -inf in audio becomes 0. Split as published. The label is that of all modalities together, times `label_scale`.
    """

    def __init__(self, *, path: str = "data/raw/ch-sims/unaligned_39.pkl", label_scale: float = 1.0) -> None:
        self.path = path
        self.label_scale = label_scale

    @property
    def modalities(self) -> tuple[str, ...]:
        return MODALITIES

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Load the pickle, without running anything in it, and check its keys, sizes, ids and labels."""
        raw = read(root, self.path, forms, problems, limit=1, layouts=("MMSA",))
        raw.labels = [repr(float(label) * self.label_scale) for label in raw.labels]
        return raw
