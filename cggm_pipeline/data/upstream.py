"""What a dataset that is computed from another one is made of."""

from __future__ import annotations

from pathlib import Path


def upstream_files(folder: Path) -> dict[str, Path]:
    """The manifest of the prepared dataset in `folder`, which stands for its data, by its name among raw files."""
    return {f"data/prepared/{folder.name}/manifest.json": folder / "manifest.json"}
