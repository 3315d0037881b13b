"""Raw files that are not there, said with the key that names them: DVC itself stops before any stage could say it.

So this is asked where a person looks before: by `cggm compile`, `cggm plan` and `cggm prepare`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from cggm_pipeline.errors import Problem
from cggm_pipeline.pipeline.weights import all_missing_models, missing_models
from cggm_pipeline.spec import Composed, Dataset, Project, load_dataset
from cggm_pipeline.spec.layers import Finding


def missing_raw(dataset: Composed[Dataset], project: Project) -> list[Problem]:
    """The first raw file or folder of a dataset that does not exist, with what to do; none where all are there.

    A dataset of features needs the weights, models and tokenizers that it names. For published data: what they are,
    their terms, where they are published, how to import them, and their twin.
    """
    for path in dataset.spec.source.raw_paths():
        if not (project.root / path).exists():
            key = ("source", "path") if hasattr(dataset.spec.source, "path") else ("source",)
            found = dataset.stack.problem(Finding(key, f"{path} does not exist", hint=_own(path, dataset.name)))
            if made := _made_again(dataset, project):
                return [replace(found, hint=made)]
            guidance = dataset.spec.source.guidance(dataset.name)
            return [replace(found, hint=f"fetch it once:\n{guidance}") if guidance else found]
    return missing_models(dataset, project)


def _made_again(dataset: Composed[Dataset], project: Project) -> str:
    """What to do for a twin, whose raw files nobody publishes; "" for real data."""
    real, folder = dataset.name.removesuffix("-twin"), dataset.spec.source.folder
    if real == dataset.name or real not in project.names("datasets") or not folder:
        return ""
    return f"these are made-up data; write it again: `cggm twin {real} {folder}`"


def _own(path: str, dataset: str) -> str:
    return f"copy it there, or `dvc get-url ADDRESS {path}`; then `cggm prepare {dataset}` or `dvc repro`"


def note(problem: Problem) -> str:
    """One line about what is missing, for those who may never want it."""
    name = PurePosixPath(problem.file).stem
    return f"note: {problem.file}:{problem.line}: {problem.message}; `cggm prepare {name}` says how to get it"


def all_missing(project: Project) -> list[Problem]:
    """What is missing of every dataset and experiment of a project. Raises SpecError where a document is wrong."""
    datasets = (load_dataset(name, project) for name in project.names("datasets"))
    found = [problem for dataset in datasets for problem in missing_raw(dataset, project)]
    return [*found, *all_missing_models(project)]
