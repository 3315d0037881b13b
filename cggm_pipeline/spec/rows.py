"""A table's rows: one experiment each, made of the base, the table's seeds and the row's (or the sweep's) overrides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.chain import chain, check_head, check_name, resolve
from cggm_pipeline.spec.check_cases import check_cases
from cggm_pipeline.spec.check_tuning import Tried, note, tuning_seed, values_tried
from cggm_pipeline.spec.compose import Composed, compose_experiment, examine_experiment
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.faults import problems_of
from cggm_pipeline.spec.labels import RESERVED, label_fault, slug_of
from cggm_pipeline.spec.layers import Finding, Layer, Stack
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.plans import Planner
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.sections import readable
from cggm_pipeline.spec.table import Claimed, Table
from cggm_pipeline.spec.tuned import Choices, Tuned, read_choices


@dataclass
class Row:
    """One row: its free `label`, the `slug` that names its files, its experiment, and where a paper's number stands.

    `tried` is what `cggm tune` tries on it (null: the table has no tuning).
    """

    label: str
    slug: str
    experiment: Composed[Experiment]
    published: Claimed | None = None
    tried: Tried | None = None


@dataclass
class ComposedTable:
    """A valid table. `rows` by slug, in the order of the file; swept rows last."""

    spec: Table
    name: str
    path: Path
    stack: Stack
    base: Composed[Experiment]
    rows: dict[str, Row] = field(default_factory=dict)
    tuned: Tuned | None = None

    @cached_property
    def data(self) -> dict[str, Any]:
        """The table document as plain data, every default written out."""
        return self.spec.model_dump(mode="json")


def load_table(path: Path | str, project: Project | None = None, *, tuned: bool = True) -> ComposedTable:
    """A table with all its rows, checked. `path`: a file, or a name below specs/tables. Raises SpecError.

    `tuned` false: every row with its own values, whatever specs/tuned/ says.
    """
    project = project or Project.of(path)
    table, problems = examine_table(project.find("tables", path), project, tuned=tuned)
    if problems or table is None:
        raise SpecError(list(dict.fromkeys(problems)))
    return table


Examined = tuple[ComposedTable | None, list[Problem]]


def examine_table(path: Path, project: Project, *, tuned: bool = True) -> Examined:
    """Compose and check a table without raising: the table where nothing is wrong, and every problem. It is kept."""
    key = ("table" if tuned else "table without tuning", os.path.abspath(path))
    if key not in project.composed:
        project.composed[key] = _examine_table(path, project, tuned)
    found: Examined = project.composed[key]
    return found[0], list(found[1])


def _examine_table(path: Path, project: Project, tuned: bool) -> Examined:
    try:
        document = project.document(path)
        problems = check_head(document, "table") + check_name(document, "tables", project)
    except SpecError as error:
        return None, list(error.problems)
    stack = Stack([Layer(document, dropped=frozenset())])
    spec, found = _table(stack, problems)
    name = project.name("tables", path)
    problems += found
    try:
        base_path = resolve(document, ("base",), project) if "base" in stack.data else None
        base = examine_experiment(base_path, project) if base_path else None
        below = chain(base_path, "experiment", project) if base_path else []
    except SpecError as error:
        return None, [*problems, *error.problems]
    if base is None:
        return None, problems
    problems += base.problems + [stack.problem(finding) for finding in _check(spec, stack.data, name, base.composed)]
    reading = tuned and spec.tuning is not None
    choices, unread = read_choices(name, project) if reading else (Choices(name), [])
    rows, more = _rows(spec, stack, below, project, choices)
    more += check_cases(spec, document, rows, project)
    if problems or more or unread or base.composed is None:
        return None, problems + more + unread
    if reading:
        others = [row.label for row in rows.values() if row.tried and choices.outdated(row.label, row.tried.digest)]
        note(choices, others, stack, project)
    return ComposedTable(spec, name, path, stack, base.composed, rows, choices.spec), []


def _table(stack: Stack, known: list[Problem]) -> tuple[Table, list[Problem]]:
    """The table; where its types are wrong, as much of it as can be read, so that its rows are checked all the same."""
    try:
        return Table.model_validate(stack.data), []
    except ValidationError as error:
        return Table.model_construct(**readable(Table, stack.data)), problems_of(error, Table, stack, known)


def _rows(
    spec: Table, stack: Stack, below: list[Layer], project: Project, choices: Choices
) -> tuple[dict[str, Row], list[Problem]]:
    document = stack.layers[0].document
    planner = Planner(spec, document, project)
    rows: dict[str, Row] = {}
    problems: list[Problem] = []
    seeds = [Layer(document, ("seeds",), ("seeds",))] if spec.seeds is not None else []
    taken: dict[str, str] = {}
    for plan in planner.plans():
        slug = slug_of(plan.label)
        if fault := label_fault(plan.label, taken):
            problems.append(document.problem(plan.keys, fault[0], on="key", allowed=fault[1]))
        taken.setdefault(slug, plan.label)
        own = [*below, *seeds, *plan.layers]
        chosen, stale = choices.layers(plan.label, plan.grid)
        examined = compose_experiment(Stack([*own, *chosen]), f"{choices.table}/{slug}", document.path, project)
        problems += examined.problems + stale
        if plan.grid is not None and not examined.problems:
            problems += values_tried(own, plan.grid, document.path, project)
        if examined.composed is not None:
            found = None if plan.grid is None or spec.tuning is None else Tried(plan.grid, Stack(own), spec.tuning)
            rows[slug] = Row(plan.label, slug, examined.composed, plan.published, found)
    problems += choices.unknown(list(spec.rows))
    problems += tuning_seed(spec, [row.experiment.spec for row in rows.values()], stack)
    return rows, planner.problems + problems


def _check(spec: Table, data: dict[str, Any], name: str, base: Composed[Experiment] | None) -> Iterator[Finding]:
    for part in name.split("/"):
        if part in RESERVED:
            yield Finding((), f"'{part}' names another folder of specs/resolved/ or runs/", hint="rename the file")
    if not data.get("rows") and not data.get("sweep"):
        yield Finding((), "a table without rows", hint="add rows: or sweep:", on="key")
    if spec.baseline is not None and spec.baseline not in spec.rows:
        hint, _ = did_you_mean(spec.baseline, spec.rows)
        yield Finding(("baseline",), f"there is no row '{spec.baseline}'", listed(spec.rows), hint)
    if base is not None and spec.metric is not None and spec.metric not in (tested := base.spec.task.tested()):
        hint, allowed = did_you_mean(spec.metric, tested)
        yield Finding(("metric",), f"'{spec.metric}' is not a metric of {base.spec.task.kind}", allowed, hint)
