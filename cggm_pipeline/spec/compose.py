"""From files to specs: composed, validated, cross-checked; every problem of every file at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain as chain_of
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.base import SLUG_PATTERN, Spec
from cggm_pipeline.spec.chain import chain, check_head, check_name
from cggm_pipeline.spec.check_dataset import check_dataset
from cggm_pipeline.spec.check_experiment import check_experiment
from cggm_pipeline.spec.check_features import check_features
from cggm_pipeline.spec.check_shifted import check_shifted
from cggm_pipeline.spec.check_weights import check_weights
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.faults import problems_of
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.layers import Finding, Place, Stack
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.sections import Sections
from cggm_pipeline.spec.shifted import Shifted
from cggm_pipeline.spec.text import capped

S = TypeVar("S", bound=Spec)

DERIVED: dict[type, Callable[[Dataset, Any, Dataset | None], Iterator[Finding]]] = {
    Features: check_features,
    Shifted: check_shifted,
}
"""The sources that read another dataset, and what each must get right about it."""


@dataclass
class Composed(Generic[S]):
    """A valid document: `spec` the object, `name` its path below its room, `path` its file, `stack` its layers."""

    spec: S
    name: str
    path: Path
    stack: Stack

    @cached_property
    def data(self) -> dict[str, Any]:
        """The whole document as plain data, every default written out."""
        return self.spec.model_dump(mode="json")

    @cached_property
    def origin(self) -> dict[str, Place]:
        """Which file set each dotted key; a key that is missing here is a default."""
        return self.stack.origin()


@dataclass
class Examined(Generic[S]):
    """What looking at a document gave: problems, and the composed document where there are none."""

    problems: list[Problem] = field(default_factory=list)
    composed: Composed[S] | None = None

    def get(self) -> Composed[S]:
        """The document. Raises SpecError with every problem."""
        if self.composed is None or self.problems:
            raise SpecError(list(dict.fromkeys(self.problems)))
        return self.composed


def load_experiment(path: Path | str, project: Project | None = None) -> Composed[Experiment]:
    """An experiment, composed and checked against its dataset. `path`: a file, or a name below specs/experiments."""
    project = project or Project.of(path)
    return examine_experiment(project.find("experiments", path), project).get()


def load_dataset(path: Path | str, project: Project | None = None) -> Composed[Dataset]:
    """A dataset document, checked. `path`: a file, or a name below specs/datasets."""
    project = project or Project.of(path)
    return examine_dataset(project.find("datasets", path), project).get()


def examine_experiment(path: Path, project: Project) -> Examined[Experiment]:
    """Compose and check an experiment without raising."""
    try:
        stack = Stack(chain(path, "experiment", project))
    except SpecError as error:
        return Examined(list(error.problems))
    examined = compose_experiment(stack, project.name("experiments", path), path, project)
    examined.problems += check_name(stack.layers[-1].document, "experiments", project)
    return examined


def compose_experiment(stack: Stack, name: str, path: Path, project: Project) -> Examined[Experiment]:
    """Check a stack of layers as an experiment."""
    spec, problems = _validated(stack, Experiment)
    sections = Sections.of(spec) if spec is not None else Sections.partly(stack.data)
    dataset, more = _dataset_of(sections, project)
    problems += [stack.problem(finding) for finding in more.findings] + more.problems
    findings = chain_of(check_experiment(sections, dataset), check_weights(sections, project))
    problems += capped(stack.problem(finding) for finding in findings)
    return Examined(problems, Composed(spec, name, path, stack) if spec is not None else None)


def examine_dataset(path: Path, project: Project) -> Examined[Dataset]:
    """Compose and check a dataset document without raising; the answer is kept."""
    key = ("dataset", os.path.abspath(path))
    if key not in project.composed:
        project.composed[key] = _examine_dataset(path, project)
    examined: Examined[Dataset] = project.composed[key]
    return examined


def _examine_dataset(path: Path, project: Project) -> Examined[Dataset]:
    try:
        stack = Stack(chain(path, "dataset", project))
    except SpecError as error:
        return Examined(list(error.problems))
    spec, problems = _validated(stack, Dataset)
    problems += capped(stack.problem(finding) for finding in check_dataset(spec)) if spec is not None else []
    problems += check_name(stack.layers[-1].document, "datasets", project)
    problems += [stack.problem(finding) for finding in _links_out(spec, project)] if spec is not None else []
    problems += _upstream(spec, project.name("datasets", path), stack, project) if spec is not None else []
    return Examined(problems, Composed(spec, project.name("datasets", path), path, stack) if spec is not None else None)


def _links_out(spec: Dataset, project: Project) -> Iterator[Finding]:
    """Raw files that lie in the project by name only: a spec must not make a program read another place's files."""
    for path in spec.source.raw_paths():
        if not project.holds(project.root / path):
            message = f"'{path}' leads out of the project through a symbolic link"
            yield Finding(("source", "path"), message, hint="put the file itself there")
            return


def _upstream(spec: Dataset, name: str, stack: Stack, project: Project) -> list[Problem]:
    """The faults of a dataset that is computed from another, with those of the other."""
    source = spec.source
    if not isinstance(source, Features | Shifted):
        return []
    circle = _circle(name, source.data, project)
    if circle:
        message = f"a cycle: {' -> '.join(circle)}"
        finding = Finding(("source", "data"), message, hint=f"{source.kind} is made of data that are not made of it")
        return [stack.problem(finding)]
    upstream, more = _dataset_named(source.data, ("source", "data"), project)
    findings = [*more.findings, *DERIVED[type(source)](spec, source, upstream)]
    return [*capped(stack.problem(finding) for finding in findings), *more.problems]


def _circle(name: str, upstream: str, project: Project) -> list[str]:
    """The datasets from `name` over what each is made of back to one of them; empty where they come to an end."""
    names = [name]
    while upstream not in names:
        names.append(upstream)
        path = project.specs / "datasets" / f"{upstream}.yaml"
        if not path.is_file():
            return []
        try:
            source = project.document(path).data["source"]
            upstream = source.get("data", "")
        except (SpecError, LookupError, TypeError, AttributeError):
            return []  # told with that document
        if not isinstance(upstream, str) or not re.fullmatch(SLUG_PATTERN, upstream):
            return []
    return [*names, upstream]


@dataclass
class _More:
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _dataset_of(sections: Sections, project: Project) -> tuple[Dataset | None, _More]:
    """The dataset that an experiment names, or why there is none."""
    return (None, _More()) if sections.data is None else _dataset_named(sections.data, ("data",), project)


def _dataset_named(name: str, key: Keys, project: Project) -> tuple[Dataset | None, _More]:
    """The dataset that the value at `key` names, or why there is none."""
    path = project.specs / "datasets" / f"{name}.yaml"
    if ("dataset", str(path)) not in project.composed and not path.is_file():
        hint, allowed = did_you_mean(name, project.names("datasets"))
        message = f"there is no dataset '{name}' ({project.file(path)})"
        return None, _More([Finding(key, message, allowed, hint)])
    examined = examine_dataset(path, project)
    return (examined.composed.spec if examined.composed else None), _More(problems=examined.problems)


def _validated(stack: Stack, model: type[S]) -> tuple[S | None, list[Problem]]:
    kind = get_args(model.model_fields["kind"].annotation)[0]
    problems = [problem for layer in stack.layers if not layer.prefix for problem in check_head(layer.document, kind)]
    try:
        return model.model_validate(stack.data), problems
    except ValidationError as error:
        return None, problems + problems_of(error, model, stack, problems)
