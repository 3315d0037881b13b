"""Any document by its own `kind`: every problem of a file and of the files that it names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.chain import KINDS, check_head, check_name
from cggm_pipeline.spec.claims import Claims
from cggm_pipeline.spec.compose import examine_dataset, examine_experiment
from cggm_pipeline.spec.faults import problems_of
from cggm_pipeline.spec.layers import Finding, Layer, Stack
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.ranking import examine_ranking
from cggm_pipeline.spec.repeated import repeated
from cggm_pipeline.spec.rows import examine_table
from cggm_pipeline.spec.tuned import examine_tuned

ROOMS = {
    "experiments": "experiment",
    "datasets": "dataset",
    "tables": "table",
    "claims": "claims",
    "tuned": "tuned",
    "rankings": "ranking",
}


def examine(path: Path, project: Project) -> list[Problem]:
    """Every problem of the document at `path`; none where it is valid. Never raises for what a file says."""
    try:
        document = project.document(path)
    except SpecError as error:
        return list(error.problems)
    kind = document.data.get("kind") if isinstance(document.data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        kind = _expected(path, project)
    return _EXAMINERS[kind](path, project)


def documents(project: Project, below: Path | None = None) -> list[Path]:
    """All documents of a project (or below one of its folders) but the generated ones, in the order of their paths."""
    resolved = str(project.specs / "resolved")
    found: list[str] = []
    for folder, folders, files in os.walk(below or project.specs):
        if os.path.abspath(folder) == resolved:
            folders.clear()
        else:
            found += (os.path.join(folder, name) for name in files if name.endswith((".yaml", ".yml")))
    return [Path(name) for name in sorted(found)]


def _expected(path: Path, project: Project) -> str:
    for room, kind in ROOMS.items():
        if project.specs / room in Path(path).absolute().parents:
            return kind
    return "experiment"


def examine_claims(path: Path, project: Project) -> list[Problem]:
    """Every problem of a claims document."""
    try:
        document = project.document(path)
        problems = check_head(document, "claims") + check_name(document, "claims", project)
    except SpecError as error:
        return list(error.problems)
    stack = Stack([Layer(document)])
    try:
        claims = Claims.model_validate(stack.data)
    except ValidationError as error:
        return problems + problems_of(error, Claims, stack, problems)
    for label, named in claims.columns.items():
        present = named.modalities if isinstance(named.modalities, tuple) else ()
        twice = repeated(present, ("columns", label, "modalities"), "modality")
        problems += [stack.problem(finding) for finding in twice]
    for row, cells in claims.rows.items():
        for column in cells:
            if column not in claims.columns:
                hint, allowed = did_you_mean(column, claims.columns)
                finding = Finding(("rows", row, column), f"there is no column '{column}'", allowed, hint, "key")
                problems.append(stack.problem(finding))
    return problems


_EXAMINERS: dict[str, Callable[[Path, Project], list[Problem]]] = {
    "experiment": lambda path, project: examine_experiment(path, project).problems,
    "dataset": lambda path, project: examine_dataset(path, project).problems,
    "table": lambda path, project: examine_table(path, project)[1],
    "claims": examine_claims,
    "tuned": examine_tuned,
    "ranking": lambda path, project: examine_ranking(path, project)[1],
}
