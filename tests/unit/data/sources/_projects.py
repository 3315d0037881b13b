"""Temporary projects for sources: a document, raw files that a test wrote or copied, and what `prepare` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

SPECS = Path(__file__).parents[4] / "specs" / "datasets"


class SourceProject:
    """A folder whose `raw` is data/raw/NAME; the document is the repository's specs/datasets/NAME.yaml, changed."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.raw = root / "data" / "raw" / name
        self.raw.mkdir(parents=True)

    def document(self, *, split: dict[str, Any] | None = None, **source: Any) -> Dataset:
        data = yaml.safe_load((SPECS / f"{self.name}.yaml").read_text())
        data["source"] |= source
        data["split"] = split or data["split"]
        return Dataset.model_validate(data)

    def prepared(self, spec: Dataset | None = None) -> Prepared:
        return Prepared.open(prepare(spec or self.document(), self.name, self.root), verify=True)

    def error(self, spec: Dataset | None = None) -> str:
        """What `prepare` says; what was prepared before, or nothing, is left."""
        before = self._prepared_files()
        with pytest.raises(DataError) as caught:
            prepare(spec or self.document(), self.name, self.root)
        assert self._prepared_files() == before
        return str(caught.value)

    def _prepared_files(self) -> dict[str, int]:
        folder = self.root / "data" / "prepared" / self.name
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*")}


def real(shared: Path, root: Path, name: str) -> SourceProject:
    """A project whose raw folder is a link to the real files. Skips where they are not there."""
    if not (shared / name).is_dir():
        pytest.skip(f"needs the real data set {name} in ../shared/data, which is not there")
    project = SourceProject(root, name)
    project.raw.rmdir()
    project.raw.symlink_to(shared / name)
    return project
