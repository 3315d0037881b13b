"""Weights, models and tokenizers that are to be fetched and are not there, said with the key that names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cggm_pipeline.errors import Problem
from cggm_pipeline.pipeline.paths import FETCHED
from cggm_pipeline.spec import Composed, Dataset, Experiment, Project
from cggm_pipeline.spec.compose import examine_experiment
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.modality import Modality


def missing_models(document: Composed[Dataset] | Composed[Experiment], project: Project) -> list[Problem]:
    """Every file or folder below data/ that an encoder or a transform of a document reads and that does not exist."""
    spec = document.spec
    if isinstance(spec, Experiment):
        return _missing(document, ("modalities",), spec.used(), project)
    if isinstance(spec.source, Features):
        return _missing(document, ("source", "modalities"), spec.source.modalities, project)
    return []


def all_missing_models(project: Project) -> list[Problem]:
    """Those of every experiment of a project, each path once. Of one that is not valid nothing is said here."""
    found: dict[str, Problem] = {}
    for name in project.names("experiments"):
        examined = examine_experiment(project.find("experiments", name), project)
        if examined.composed is not None and not examined.problems:
            for problem in missing_models(examined.composed, project):
                found.setdefault(problem.message, problem)
    return list(found.values())


def _missing(
    document: Composed[Any], above: Keys, modalities: Mapping[str, Modality], project: Project
) -> list[Problem]:
    return [
        document.stack.problem(Finding((*above, *key), f"{path} does not exist", hint=_hint(path)))
        for key, path in _named(modalities)
        if path.startswith(FETCHED) and not (project.root / path).exists()
    ]


def _hint(path: str) -> str:
    return f"copy it there, or `dvc import-url ADDRESS {path}`; a model is a folder with its configuration and weights"


def _named(modalities: Mapping[str, Modality]) -> Iterator[tuple[Keys, str]]:
    """Every path that the modalities read, with the key that names it."""
    for name, modality in modalities.items():
        parts = [(("encoder",), modality.encoder)]
        parts += [(("transforms", place), step) for place, step in enumerate(modality.transforms)]  # type: ignore[misc]
        for key, part in parts:
            for path in part.files():
                field = next((field for field in type(part).model_fields if getattr(part, field) == path), "")
                yield (name, *key, *([field] if field else [])), path
