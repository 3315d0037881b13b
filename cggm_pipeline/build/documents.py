"""Where the data of an experiment stand in a project: their document, their prepared folder. Torch-free."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.spec import Dataset, Experiment, Project, load_dataset, load_resolved


def dataset_of(experiment: Experiment, root: Path) -> Dataset:
    """The document of an experiment's data."""
    return dataset_named(experiment.data, root)


def dataset_named(name: str, root: Path) -> Dataset:
    """The document of a dataset: as resolved, or where it was not compiled, as it is written."""
    resolved = root / "specs" / "resolved" / "datasets" / f"{name}.yaml"
    return load_resolved(resolved, Dataset) if resolved.is_file() else load_dataset(name, Project(root)).spec


def prepared_folder(name: str, root: Path) -> Path:
    """Where a dataset's prepared form lies in a project."""
    return root / "data" / "prepared" / name
