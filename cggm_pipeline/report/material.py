"""Everything one report is made of, gathered once: the resolved specs, the runs, the scores, the published numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cggm_pipeline.errors import DataError
from cggm_pipeline.report.cases import Case
from cggm_pipeline.report.runs import RowRun, Score, read_confusion, read_row, read_scores
from cggm_pipeline.report.verdict import Published
from cggm_pipeline.spec.experiment import Experiment


@dataclass(frozen=True)
class Tuning:
    """`values` by dotted key: those that were chosen of `budget` combinations; None: the table is not tuned yet.

    `fresh`: they were chosen for the settings that the row has now.
    """

    budget: int
    seed: int
    epochs: int | None
    values: Mapping[str, Any] | None
    fresh: bool


@dataclass(frozen=True)
class RowSpec:
    """One row as specified: its label, its experiment, the paper's numbers by metric, and how its resolved file differs
    from its spec, in words (empty: it does not). `tuned`: how its values were chosen; None without tuning. `cases`: the
    paper's numbers with modalities missing, by metric and case."""

    slug: str
    label: str
    experiment: Experiment
    published: Mapping[str, Published] = field(default_factory=dict)
    edited: str = ""
    tuned: Tuning | None = None
    cases: Mapping[tuple[str, Case], Published] = field(default_factory=dict)


@dataclass(frozen=True)
class Composite:
    """A line made of several rows, by their slugs: in each case of missing modalities the one that uses just these."""

    label: str
    rows: tuple[str, ...]
    cases: Mapping[tuple[str, Case], Published] = field(default_factory=dict)


@dataclass(frozen=True)
class TableSpec:
    """One table as specified. `metric` None: the task's own; `baseline` None: no paired differences."""

    name: str
    title: str
    metric: str | None
    baseline: str | None
    seeds: tuple[int, ...]
    rows: tuple[RowSpec, ...]
    composites: tuple[Composite, ...] = ()


@dataclass(frozen=True)
class DataFacts:
    """What the manifest of the prepared data says: digest, samples per split, class names, and where the data are from.

    `banner` is printed above the report where the data are not what the table's title would make a reader believe
    (a synthetic twin); empty otherwise.
    """

    name: str
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    banner: str = ""


@dataclass(frozen=True)
class Material:
    """`folder` is runs/TABLE; `runs`, `confusion` and `data` by row slug; `scores` of all splits."""

    spec: TableSpec
    folder: Path
    runs: Mapping[str, RowRun]
    scores: tuple[Score, ...]
    confusion: Mapping[str, NDArray[np.float64]]
    data: Mapping[str, DataFacts]

    @property
    def banners(self) -> tuple[str, ...]:
        """What must be said above everything that is printed of this table; empty where all data are real."""
        return tuple(sorted({facts.banner for facts in self.data.values()} - {""}))

    def test_scores(self, row: str) -> dict[int, Score]:
        """The test scores of a row by seed."""
        return {score.seed: score for score in self.scores if score.row == row and score.split == "test"}


def gather(spec: TableSpec, root: Path) -> Material:
    """Read the runs of a table. DataError where a file is damaged; what was not run is simply not there."""
    folder = root / "runs" / spec.name
    return Material(
        spec=spec,
        folder=folder,
        runs={row.slug: read_row(folder / row.slug, row.experiment.adaptation.final) for row in spec.rows},
        scores=tuple(read_scores(folder)),
        confusion=read_confusion(folder),
        data={row.slug: read_facts(folder / row.slug / "train", row.experiment.data) for row in spec.rows},
    )


def read_facts(folder: Path, name: str) -> DataFacts:
    """The facts of the data that a row was trained on, from the manifest beside its runs; only the name without one."""
    path = folder / "manifest.json"
    if not path.is_file():
        return DataFacts(name)
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
        return DataFacts(
            name,
            str(manifest["digest"]),
            {str(split): int(count) for split, count in manifest["counts"].items()},
            tuple(str(label) for label in manifest.get("classes") or ()),
            str(manifest.get("banner") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is damaged or of another version ({detail}); train this row again") from error
