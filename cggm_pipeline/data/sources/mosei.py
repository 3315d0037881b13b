"""CMU-MOSEI (Zadeh et al. 2018, ACL): about 23,000 opinion clips of 1,000 speakers, a sentiment in [-3, 3] each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._utterances import MODALITIES, read
from cggm_pipeline.data.sources.base import Raw, Source


class MOSEI(Source):
    """The pickle `path` of MulT (text 300, audio 74, vision 35 features; 50 aligned steps, or more) or of MMSA.

    Which one it is, is read from its keys. -inf in audio becomes 0. Split as published.
    """

    def __init__(self, *, path: str = "data/raw/mosei/mosei_senti_data.pkl") -> None:
        self.path = path

    @property
    def modalities(self) -> tuple[str, ...]:
        return MODALITIES

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Load the pickle, without running anything in it, and check its keys, sizes, ids and labels."""
        return read(root, self.path, forms, problems, limit=3, layouts=("MulT", "MMSA"))
