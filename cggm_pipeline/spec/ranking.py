"""The ranking document: specs/rankings/NAME.yaml. The methods that several tables share, ranked over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.base import Slug, Spec
from cggm_pipeline.spec.chain import check_head, check_name
from cggm_pipeline.spec.faults import problems_of
from cggm_pipeline.spec.layers import Finding, Layer, Stack
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.rows import ComposedTable, examine_table


class Ranking(Spec):
    """Average ranks of methods over tables, one table per data set, with a critical difference (Demsar, JMLR 2006).

    A method is a label that every table has. `metric` null: each table's own. A method that failed in a table shares
    the last ranks there; ranks of equal means are shared as well.
    """

    version: Literal[1]
    kind: Literal["ranking"]
    title: str = Field("", description="heads the ranking")
    description: str = Field("", description="free text; changes no result")
    tables: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000, strict=False)] = Field(
        description="names of tables, one for each data set"
    )
    metric: Slug | None = Field(None, description="what methods are ranked by; null: what heads each table")
    rows: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000, strict=False)] | None = Field(
        None, description="labels of the rows to rank; null: all that every table has"
    )


@dataclass(frozen=True)
class ComposedRanking:
    """A valid ranking: its tables by name, and the labels that are ranked by slug, in the first table's order."""

    spec: Ranking
    name: str
    path: Path
    tables: Mapping[str, ComposedTable]
    rows: Mapping[str, str]


def load_ranking(path: Path | str, project: Project | None = None) -> ComposedRanking:
    """A ranking with its tables, checked. `path`: a file, or a name below specs/rankings. Raises SpecError."""
    project = project or Project.of(path)
    ranking, problems = examine_ranking(project.find("rankings", path), project)
    if problems or ranking is None:
        raise SpecError(list(dict.fromkeys(problems)))
    return ranking


def examine_ranking(path: Path, project: Project) -> tuple[ComposedRanking | None, list[Problem]]:
    """Check a ranking without raising, and the tables that it names."""
    try:
        document = project.document(path)
        problems = check_head(document, "ranking") + check_name(document, "rankings", project)
    except SpecError as error:
        return None, list(error.problems)
    stack = Stack([Layer(document)])
    try:
        spec = Ranking.model_validate(stack.data)
    except ValidationError as error:
        return None, problems + problems_of(error, Ranking, stack, problems)
    tables: dict[str, ComposedTable] = {}
    for place, name in enumerate(spec.tables):
        found = list(_named(place, name, tables, project))
        problems += [stack.problem(finding) for finding in found]
        if not found:
            table, more = examine_table(project.specs / "tables" / f"{name}.yaml", project)
            problems += more
            tables |= {name: table} if table is not None else {}
    if problems:
        return None, problems
    rows = _shared(spec, tables)
    problems += [stack.problem(finding) for finding in _check(spec, tables, rows)]
    return (None if problems else ComposedRanking(spec, project.name("rankings", path), path, tables, rows)), problems


def _named(place: int, name: str, known: Mapping[str, ComposedTable], project: Project) -> Iterator[Finding]:
    if name in known:
        yield Finding(("tables", place), f"the table '{name}' stands twice", hint="remove one of them")
    elif name not in (names := project.names("tables")):
        hint, allowed = did_you_mean(name, names)
        yield Finding(("tables", place), f"there is no table '{name}'", allowed, hint)


def _shared(spec: Ranking, tables: Mapping[str, ComposedTable]) -> dict[str, str]:
    """What all tables have, by slug; of the named rows those."""
    first, *others = ({slug: row.label for slug, row in table.rows.items()} for table in tables.values())
    shared = {slug: label for slug, label in first.items() if all(other.get(slug) == label for other in others)}
    return {slug: label for slug, label in shared.items() if spec.rows is None or label in spec.rows}


def _check(spec: Ranking, tables: Mapping[str, ComposedTable], rows: Mapping[str, str]) -> Iterator[Finding]:
    for place, label in enumerate(spec.rows or ()):
        if label in (spec.rows or ())[:place]:
            yield Finding(("rows", place), f"the row '{label}' stands twice", hint="remove one of them")
        for name, table in tables.items():
            labels = [row.label for row in table.rows.values()]
            if label not in labels:
                hint, allowed = did_you_mean(label, labels)
                yield Finding(("rows", place), f"the table '{name}' has no row '{label}'", allowed, hint)
    if spec.rows is None and len(rows) < 2:
        message = f"{len(rows) or 'no'} row{'s' * (len(rows) != 1)} that all of these tables have"
        yield Finding(("tables",), message, "two or more labels that are the same in every table")
    for name, table in tables.items():
        tested = table.base.spec.task.tested()
        if spec.metric is not None and spec.metric not in tested:
            hint, _ = did_you_mean(spec.metric, tested)
            yield Finding(("metric",), f"'{spec.metric}' is not a metric of the table '{name}'", listed(tested), hint)
