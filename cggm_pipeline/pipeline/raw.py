"""Raw files that are not there, said with the key that names them: DVC itself stops before any stage could say it.

So this is asked where a person looks before: by `cggm compile`, `cggm plan` and `cggm prepare`.
"""

from __future__ import annotations

from dataclasses import replace

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec import Composed, Dataset, Project, load_dataset
from cggm_pipeline.spec.layers import Finding


def missing_raw(dataset: Composed[Dataset], project: Project) -> list[Problem]:
    """The first raw file or folder of a dataset that does not exist, with what to do; none where all are there.

    For published data: what they are, their terms, where they are published, how to import them, and their twin.
    """
    for path in dataset.spec.source.raw_paths():
        if not (project.root / path).exists():
            key = ("source", "path") if hasattr(dataset.spec.source, "path") else ("source",)
            found = dataset.stack.problem(Finding(key, f"{path} does not exist", hint=_own(path, dataset.name)))
            guidance = dataset.spec.source.guidance(dataset.name)
            return [replace(found, hint=f"fetch it once:\n{guidance}") if guidance else found]
    return []


def _own(path: str, dataset: str) -> str:
    return f"copy it there, or `dvc get-url ADDRESS {path}`; then `cggm prepare {dataset}` or `dvc repro`"


def all_missing(project: Project) -> list[Problem]:
    """What is missing of every dataset of a project. Raises SpecError where a document is wrong."""
    datasets = (load_dataset(name, project) for name in project.names("datasets"))
    return [problem for dataset in datasets for problem in missing_raw(dataset, project)]
