"""Documents to stages: one per dataset, one train per row with all its seeds, per table evaluate and report.

A stage tracks the sections of the resolved specs that can change its result, its input folders, and its code files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from cggm_pipeline.pipeline import paths
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import Documents, Ranking, Row, Table
from cggm_pipeline.pipeline.kinds import modality_files, network_files, train_files, weight_paths, weights_of
from cggm_pipeline.pipeline.records import Out, Stage
from cggm_pipeline.pipeline.sections import (
    PREPARE,
    RANKING,
    ROWS,
    SHAPES,
    TABLE,
    adapt_sections,
    evaluate_sections,
    train_sections,
)
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.shifted import Shifted
from cggm_pipeline.spec.source import SourceSpec

REPORTS = ("report.html", "table.csv", "table.md", "table.tex")
RANKINGS = ("ranking.csv", "ranking.html", "ranking.md", "ranking.svg")

Params = dict[str, tuple[str, ...]]


class Stages:
    """Makes the stages of a project's documents; holds its code so that each file is read once."""

    def __init__(self, documents: Documents, code: Code) -> None:
        self.documents = documents
        self.code = code

    def prepare(self, name: str) -> Stage:
        """What writes data/prepared/NAME: from raw data, or from another dataset."""
        source = self.documents.datasets[name].source
        makers: Mapping[str, Callable[[str, Any], Stage]] = {
            "prepare": self._prepare,
            "features": self._features,
            "shift": self._shift,
        }
        return makers[source.stage](name, source)

    def _prepare(self, name: str, source: SourceSpec) -> Stage:
        """Raw data to data/prepared/NAME and, once, to the pinned split specs/splits/NAME.csv."""
        files = self.code.closure([self._script("prepare"), self.code.kind("data/sources", source.kind)])
        return Stage(
            name=paths.stage_name("prepare", name),
            command=("python", "stages/prepare.py", name),
            desc=f"raw data to {paths.prepared_folder(name)}",
            deps=_sorted(self.code.relative(files), source.raw_paths()),
            params=self._version() | {paths.dataset_file(name): PREPARE},
            outs=(Out(paths.prepared_folder(name)), Out(paths.split_file(name), cache=False, persist=True)),
        )

    def _features(self, name: str, source: Features) -> Stage:
        """Another dataset, and what frozen encoders say about it, to data/prepared/NAME. Its split is the other's."""
        kinds = modality_files(self.code, source.modalities.values())
        files = self.code.closure([self._script("features"), *kinds])
        weights = weight_paths(self.code.root, source.files())
        return Stage(
            name=paths.stage_name("features", name),
            command=("python", "stages/features.py", name),
            desc=f"features of {source.data} to {paths.prepared_folder(name)}",
            deps=_sorted(self.code.relative(files), weights, [paths.prepared_folder(source.data)]),
            params=self._version() | {paths.dataset_file(source.data): SHAPES, paths.dataset_file(name): PREPARE},
            outs=(Out(paths.prepared_folder(name)),),
        )

    def _shift(self, name: str, source: Shifted) -> Stage:
        """Another dataset with noise to data/prepared/NAME. Its split is the other's."""
        return Stage(
            name=paths.stage_name("shift", name),
            command=("python", "stages/shift.py", name),
            desc=f"{source.data} with noise to {paths.prepared_folder(name)}",
            deps=_sorted(
                self.code.relative(self.code.closure([self._script("shift")])), [paths.prepared_folder(source.data)]
            ),
            params=self._version() | {paths.dataset_file(name): PREPARE},
            outs=(Out(paths.prepared_folder(name)),),
        )

    def train(self, table: Table, row: Row) -> Stage:
        """One experiment with all its seeds. Times and memory are apart from the rest: only the report reads them."""
        experiment = row.experiment
        folder = paths.run_folder(table.name, row.slug)
        own = {paths.row_file(table.name, row.slug): train_sections(experiment)}
        return Stage(
            name=paths.stage_name("train", table.name, row.slug),
            command=("python", "stages/train.py", table.name, row.slug),
            desc=f"train {table.name}/{row.slug}",
            deps=_sorted(
                self.code.relative(train_files(self.code, experiment, self._script("train"))),
                weights_of(self.code.root, experiment),
                [paths.prepared_folder(experiment.data)],
            ),
            params=self._version() | {paths.dataset_file(experiment.data): SHAPES} | own,
            outs=(Out(f"{folder}/train"), Out(f"{folder}/cost.json")),
        )

    def adapt(self, table: Table, row: Row) -> Iterator[Stage]:
        """The stages between training and evaluation: each reads the folders of those before it, and writes its own."""
        experiment, folder = row.experiment, paths.run_folder(table.name, row.slug)
        own = {paths.row_file(table.name, row.slug): adapt_sections(experiment)}
        before = [f"{folder}/train"]
        for verb, out in experiment.adaptation.stages.items():
            files = self.code.closure([self._script(verb), *network_files(self.code, experiment)])
            data = [paths.prepared_folder(experiment.data)]
            yield Stage(
                name=paths.stage_name(verb, table.name, row.slug),
                command=("python", f"stages/{verb}.py", table.name, row.slug),
                desc=f"adapt {table.name}/{row.slug} without labels: {verb}",
                deps=_sorted(self.code.relative(files), weights_of(self.code.root, experiment), data, before),
                params=self._version() | {paths.dataset_file(experiment.data): SHAPES} | own,
                outs=(Out(f"{folder}/{out}"),),
            )
            before.append(f"{folder}/{out}")

    def evaluate(self, table: Table) -> Stage:
        """All trained rows of a table on the validation and test splits, in one process."""
        folder = paths.run_folder(table.name)
        networks = chain.from_iterable(network_files(self.code, row.experiment) for row in table.rows)
        files = self.code.relative(self.code.closure([self._script("evaluate"), *networks]))
        weights = chain.from_iterable(weights_of(self.code.root, row.experiment) for row in table.rows)
        shapes = {paths.dataset_file(name): SHAPES for name in table.datasets}
        rows = {paths.row_file(table.name, row.slug): evaluate_sections(row.experiment) for row in table.rows}
        return Stage(
            name=paths.stage_name("evaluate", table.name),
            command=("python", "stages/evaluate.py", table.name),
            desc=f"evaluate {table.name}: metrics, probes, predictions",
            deps=_sorted(
                files, weights, map(paths.prepared_folder, table.datasets), _of_rows(table, "train"), _adapted(table)
            ),
            params=self._version() | shapes | {paths.table_file(table.name): ROWS} | rows,
            outs=(Out(f"{folder}/evaluation"),),
            metrics=(Out(f"{folder}/metrics.json", cache=False),),
        )

    def report(self, table: Table) -> Stage:
        """The table in four formats, beside the published numbers."""
        folder = paths.run_folder(table.name)
        files = self.code.relative(self.code.closure([self._script("report")]) | self.code.assets("report"))
        cited = [*(row.published for row in table.rows), *(one.published for one in table.composites)]
        claims = {paths.claims_file(published["table"]) for published in cited if published}
        results = [f"{folder}/evaluation", f"{folder}/metrics.json"]
        data = {paths.dataset_file(name): PREPARE for name in table.datasets}
        rows = {paths.row_file(table.name, row.slug): train_sections(row.experiment) for row in table.rows}
        return Stage(
            name=paths.stage_name("report", table.name),
            command=("python", "stages/report.py", table.name),
            desc=f"table and report of {table.name}",
            deps=_sorted(
                files,
                claims,
                map(paths.prepared_folder, table.datasets),
                results,
                _of_rows(table, "train"),
                _of_rows(table, "cost.json"),
                _adapted(table),
            ),
            params=self._version() | data | {paths.table_file(table.name): TABLE} | rows,
            outs=tuple(Out(f"{folder}/{name}") for name in REPORTS),
        )

    def rank(self, ranking: Ranking) -> Stage:
        """The ranking of the methods that several tables share, from their metrics; the banner of made-up data too."""
        folder = paths.ranking_folder(ranking.name)
        files = self.code.relative(self.code.closure([self._script("rank")]) | self.code.assets("report"))
        first = next(iter(ranking.rows))
        return Stage(
            name=paths.stage_name("rank", ranking.name),
            command=("python", "stages/rank.py", ranking.name),
            desc=f"average ranks of {len(ranking.rows)} methods over {len(ranking.metrics)} tables",
            deps=_sorted(
                files,
                (f"{paths.run_folder(table)}/metrics.json" for table in ranking.metrics),
                (f"{paths.run_folder(table, first)}/train" for table in ranking.metrics),
            ),
            params=self._version() | {paths.ranking_file(ranking.name): RANKING},
            outs=tuple(Out(f"{folder}/{name}") for name in RANKINGS),
        )

    def _script(self, stage: str) -> Path:
        return self.code.root / "stages" / f"{stage}.py"

    def _version(self) -> Params:
        """Stands for the package's code where it is not part of the project."""
        return {} if self.code.own else {paths.VERSION: ("cggm_pipeline",)}


def _of_rows(table: Table, name: str) -> list[str]:
    return [f"{paths.run_folder(table.name, row.slug)}/{name}" for row in table.rows]


def _adapted(table: Table) -> list[str]:
    """Where the rows' final weights lie."""
    return [f"{paths.run_folder(table.name, row.slug)}/{row.experiment.adaptation.final}" for row in table.rows]


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(chain.from_iterable(groups))))
