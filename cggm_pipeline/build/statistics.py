"""By which training statistics a run normalises its inputs: those of its data, or of the run it started from."""

from __future__ import annotations

import shutil
from pathlib import Path

from cggm_pipeline.data.manifest import Manifest
from cggm_pipeline.data.prepared import read_manifest

FOLDER = "statistics"
"""In a run's folder: that of another data set's manifest, where inputs are normalised by it."""


def statistics_of(run: Path, manifest: Manifest) -> Manifest:
    """The manifest by which the run in this folder normalises; `manifest`: that of its data."""
    return read_manifest(run / FOLDER) if (run / FOLDER).is_dir() else manifest


def keep_statistics(source: Path, run: Path) -> None:
    """Write into a run's folder that it normalises as the run `source` does."""
    own = source / FOLDER
    (run / FOLDER).mkdir()
    shutil.copyfile((own if own.is_dir() else source) / "manifest.json", run / FOLDER / "manifest.json")
