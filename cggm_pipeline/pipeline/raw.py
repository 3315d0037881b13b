"""Raw files that are not there, said with the key that names them: DVC itself stops before any stage could say it.

So this is asked where a person looks before: by `cggm compile`, `cggm plan` and `cggm prepare`.
"""

from __future__ import annotations

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec import Composed, Dataset, Project, load_dataset
from cggm_pipeline.spec.layers import Finding


def missing_raw(dataset: Composed[Dataset], project: Project) -> list[Problem]:
    """The first raw file or folder of a dataset that does not exist, with what to do; none where all are there."""
    for path in dataset.spec.source.raw_paths():
        if not (project.root / path).exists():
            key = ("source", "path") if hasattr(dataset.spec.source, "path") else ("source",)
            hint = f"copy it there, or `dvc get-url ADDRESS {path}`; then `cggm prepare {dataset.name}` or `dvc repro`"
            return [dataset.stack.problem(Finding(key, f"{path} does not exist", hint=hint))]
    return []


def all_missing(project: Project) -> list[Problem]:
    """What is missing of every dataset of a project. Raises SpecError where a document is wrong."""
    datasets = (load_dataset(name, project) for name in project.names("datasets"))
    return [problem for dataset in datasets for problem in missing_raw(dataset, project)]
