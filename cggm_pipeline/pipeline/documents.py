"""All documents of a project, composed: the datasets, and the tables with an experiment for every row."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.pipeline.collisions import colliding
from cggm_pipeline.pipeline.paths import FETCHED
from cggm_pipeline.pipeline.starts import before, misplaced
from cggm_pipeline.spec import (
    Composed,
    ComposedTable,
    Dataset,
    Experiment,
    Project,
    load_dataset,
    load_experiment,
    load_table,
)
from cggm_pipeline.spec.base import SLUG_PATTERN, SLUG_RULE
from cggm_pipeline.spec.labels import RESERVED, slug_of
from cggm_pipeline.spec.ranking import ComposedRanking, load_ranking
from cggm_pipeline.spec.rows import Row as ComposedRow

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One row of a table: its label, the published number it cites, and the experiment with every default.

    `tuned`: how its values were chosen; null in a table without tuning.
    """

    slug: str
    label: str
    published: dict[str, str] | None
    experiment: Experiment
    tuned: dict[str, Any] | None = None


@dataclass(frozen=True)
class Composite:
    """A line of a table that is made of several rows, by their slugs, and the published number it cites."""

    label: str
    rows: tuple[str, ...]
    published: dict[str, str] | None


@dataclass(frozen=True)
class Table:
    """One table. An experiment that no table uses is a table of one row, under its own name."""

    name: str
    source: str
    title: str
    metric: str | None
    baseline: str | None
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    composites: tuple[Composite, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets of its rows, sorted."""
        return tuple(sorted({row.experiment.data for row in self.rows}))


@dataclass(frozen=True)
class Ranking:
    """Methods (`rows`: slug to label) ranked over tables by a metric each: null where the table's task has its own."""

    name: str
    source: str
    title: str
    metrics: dict[str, str | None]
    rows: dict[str, str]


@dataclass(frozen=True)
class Documents:
    """Everything below specs/ that a stage can come from; `sources` are the files of the datasets."""

    datasets: dict[str, Dataset]
    sources: dict[str, str]
    tables: tuple[Table, ...]
    rankings: tuple[Ranking, ...] = ()

    def prepared(self, table: Table) -> tuple[str, ...]:
        """The datasets of a table's rows and those that they are computed from, each after what it is computed from."""
        found: dict[str, None] = {}
        for name in table.datasets:
            found |= dict.fromkeys(reversed(list(self._chain(name))))
        return tuple(found)

    def fetched(self, table: Table) -> bool:
        """Whether a person must fetch raw data, or weights, before this table can be computed, its starts included."""
        return any(map(self._fetched, before(table, {one.name: one for one in self.tables})))

    def _fetched(self, table: Table) -> bool:
        sources = [self.datasets[name].source for name in self.prepared(table)]
        paths = [path for source in sources for path in (*source.raw_paths(), *source.files())]
        paths += [path for row in table.rows for part in row.experiment.used().values() for path in part.files()]
        return any(path.startswith(FETCHED) for path in paths)

    def _chain(self, name: str | None) -> Iterator[str]:
        while name is not None:
            yield name
            name = self.datasets[name].source.upstream()


def read_documents(project: Project) -> Documents:
    """Read and compose every document of a project. SpecError with the problems of all of them."""
    reader = _Reader(project)
    datasets = reader.all("datasets", load_dataset)
    tables = reader.all("tables", load_table)
    experiments = reader.all("experiments", load_experiment)
    used = {file for table in tables for row in table.rows.values() for file in _layers(row.experiment)}
    alone = [experiment for experiment in experiments if os.path.realpath(experiment.path) not in used]
    reader.problems += [problem for experiment in alone for problem in _misnamed(experiment, reader)]
    rankings = reader.all("rankings", load_ranking)
    made = [*(_table(table, reader) for table in tables), *(_single(one, reader) for one in alone)]
    reader.problems += [*colliding(made), *misplaced(made)]
    if reader.problems:
        raise SpecError(reader.problems)
    return Documents(
        datasets={dataset.name: dataset.spec for dataset in datasets},
        sources={dataset.name: reader.shown(dataset.path) for dataset in datasets},
        tables=tuple(sorted(made, key=lambda table: table.name)),
        rankings=tuple(_ranking(ranking, reader) for ranking in rankings),
    )


class _Reader:
    """Loads documents and keeps the problems of all that could not be loaded."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.problems: list[Problem] = []

    def all(self, room: str, load: Callable[[Path, Project], T]) -> list[T]:
        """Every document of a room that loads."""
        loaded = []
        for name in self.project.names(room):
            try:
                loaded.append(load(self.project.specs / room / f"{name}.yaml", self.project))
            except SpecError as error:
                self.problems += [problem for problem in error.problems if problem not in self.problems]
        return loaded

    def shown(self, path: Path) -> str:
        """A path from the project's root."""
        return os.path.relpath(os.path.abspath(path), self.project.root)


def _layers(experiment: Composed[Experiment]) -> set[str]:
    return {os.path.realpath(layer.document.path) for layer in experiment.stack.layers}


def _misnamed(experiment: Composed[Experiment], reader: _Reader) -> list[Problem]:
    """An experiment of its own names folders and stages."""
    parts = experiment.name.split("/")
    if all(re.fullmatch(SLUG_PATTERN, part) and part not in RESERVED for part in parts):
        return []
    message = f"'{experiment.name}' cannot name a stage and its folders"
    return [Problem(reader.shown(experiment.path), 0, 0, "", message, allowed=SLUG_RULE, hint="rename the file")]


def _ranking(ranking: ComposedRanking, reader: _Reader) -> Ranking:
    spec = ranking.spec
    metrics = {name: spec.metric or table.spec.metric for name, table in ranking.tables.items()}
    return Ranking(ranking.name, reader.shown(ranking.path), spec.title, metrics, dict(ranking.rows))


def _row(slug: str, row: ComposedRow, table: ComposedTable) -> Row:
    tuned = None
    if row.tried is not None:
        choice = table.tuned.rows.get(row.label) if table.tuned is not None else None
        fresh = choice is not None and choice.digest == row.tried.digest
        chosen = choice.chosen if choice is not None else None
        tuned = {**row.tried.tuning.model_dump(mode="json"), "values": chosen, "fresh": fresh}
    published = row.published.model_dump() if row.published else None
    return Row(slug, row.label, published, row.experiment.spec, tuned)


def _table(table: ComposedTable, reader: _Reader) -> Table:
    spec = table.spec
    rows = tuple(_row(slug, row, table) for slug, row in table.rows.items())
    baseline = slug_of(spec.baseline) if spec.baseline is not None else None
    source = reader.shown(table.path)
    made = tuple(
        Composite(label, tuple(map(slug_of, one.rows)), one.published.model_dump() if one.published else None)
        for label, one in spec.composites.items()
    )
    return Table(table.name, source, spec.title, spec.metric, baseline, rows[0].experiment.seeds, rows, made)


def _single(experiment: Composed[Experiment], reader: _Reader) -> Table:
    slug = experiment.name.rpartition("/")[2]
    row = Row(slug, experiment.name, None, experiment.spec)
    source = reader.shown(experiment.path)
    return Table(experiment.name, source, experiment.name, None, slug, experiment.spec.seeds, (row,))
