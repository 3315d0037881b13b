"""The document of chosen values: specs/tuned/TABLE.yaml, written whole by `cggm tune TABLE`. A table only reads it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.base import Count, Seed, Spec
from cggm_pipeline.spec.chain import check_head, check_name
from cggm_pipeline.spec.faults import problems_of
from cggm_pipeline.spec.layers import Layer, Stack
from cggm_pipeline.spec.load import Document
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.tune import Grid, path_of


class Trial(Spec):
    """One combination: its values, and the selection metric on the validation split at the epoch that was kept."""

    values: dict[str, Any] = Field(description="dotted key: value")
    score: float | None = Field(None, description="on the validation split; null: the training failed")
    epoch: int | None = Field(None, ge=0, description="the epoch that was kept, from 0")
    failed: str = Field("", description="why there is no score")


class Choice(Spec):
    """What was chosen for one row: the best trial, of equal ones the first."""

    chosen: dict[str, Any] = Field(description="dotted key: value; put on the row's own")
    metric: str = Field(description="the selection metric that the trials were compared by")
    mode: Literal["max", "min"] = Field(description="which is better")
    trials: Annotated[tuple[Trial, ...], Field(min_length=1, strict=False)] = Field(description="in the row's order")
    digest: str = Field(description="of what the row was tuned for: its spec, its values, the table's tuning")


class Tuned(Spec):
    """What `cggm tune TABLE` found, and every trial that it was found by. Written by that command, not by hand."""

    version: Literal[1]
    kind: Literal["tuned"]
    table: str = Field(description="the table whose rows these are")
    budget: Count = Field(description="trials of each row")
    seed: Seed = Field(description="of every trial")
    epochs: Count | None = Field(None, description="of every trial; null: the row's own")
    rows: dict[str, Choice] = Field(description="label of a row: what was chosen for it")


@dataclass(frozen=True)
class Choices:
    """A table's tuned document as far as it can be read; `spec` null: there is none, or it is wrong."""

    table: str
    document: Document | None = None
    spec: Tuned | None = None

    def layers(self, label: str, grid: Grid | None) -> tuple[list[Layer], list[Problem]]:
        """What is put on a row, and why nothing can be: the row is not there, or its values are others now."""
        if self.spec is None or self.document is None or grid is None:
            return [], []
        keys = ("rows", label, "chosen")
        if label not in self.spec.rows:
            return [], [self._stale(("rows",), f"the row '{label}' was not tuned", rows=label)]
        chosen = self.spec.rows[label].chosen
        if set(chosen) != set(grid.values):
            listed = ", ".join(grid.values) or "none"
            return [], [self._stale(keys, f"was tuned for other keys; the row's tune has now: {listed}", rows=label)]
        wrong = [key for key, value in chosen.items() if grid.index(key, value) is None]
        if wrong:
            written = self.document.written((*keys, wrong[0]))
            return [], [self._stale((*keys, wrong[0]), f"{written} is not among the row's values any more", rows=label)]
        return [Layer(self.document, (*keys, key), path_of(key)) for key in chosen], []

    @property
    def rows(self) -> Mapping[str, Choice]:
        """By label; empty where the table was not tuned."""
        return self.spec.rows if self.spec is not None else {}

    def unknown(self, labels: list[str]) -> list[Problem]:
        """Rows that the table does not have."""
        return [self._stale(("rows", row), f"the table has no row '{row}'") for row in self.rows if row not in labels]

    def outdated(self, label: str, now: str) -> bool:
        """Whether a row was tuned for other settings than it has now."""
        return label in self.rows and self.rows[label].digest != now

    def _stale(self, keys: tuple[str, ...], message: str, rows: str = "") -> Problem:
        assert self.document is not None
        return self.document.problem(keys, message, on="key", hint=f"`{command(self.table, rows)}` tunes it again")


def command(table: str, row: str = "") -> str:
    """What a person types to tune a table, or one of its rows."""
    return f"cggm tune {table}" + (f" --rows {shlex.quote(row)}" if row else "")


def tuned_path(specs: Path, table: str) -> Path:
    """Where a table's tuned document lies below the folder `specs`."""
    return specs / "tuned" / f"{table}.yaml"


def read_choices(table: str, project: Project) -> tuple[Choices, list[Problem]]:
    """The tuned document of a table; one without a document where there is none."""
    path = tuned_path(project.specs, table)
    if not path.is_file():
        return Choices(table), []
    try:
        document = project.document(path)
        problems = check_head(document, "tuned")
    except SpecError as error:
        return Choices(table), list(error.problems)
    stack = Stack([Layer(document)])
    try:
        return Choices(table, document, Tuned.model_validate(stack.data)), problems
    except ValidationError as error:
        return Choices(table), problems + problems_of(error, Tuned, stack, problems)


def examine_tuned(path: Path, project: Project) -> list[Problem]:
    """What is wrong with a tuned document by itself; the rest is told with its table."""
    name = project.name("tuned", path)
    choices, problems = read_choices(name, project)
    try:
        problems += check_name(project.document(path), "tuned", project)
    except SpecError as error:
        return problems or list(error.problems)
    if choices.document is not None and not (project.specs / "tables" / f"{name}.yaml").is_file():
        hint, allowed = did_you_mean(name, project.names("tables"))
        problems.append(choices.document.problem(("table",), f"there is no table '{name}'", allowed=allowed, hint=hint))
    return problems
