"""A ranking as data: the resolved document and its tables' metrics, ranked, before anything is printed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from cggm_pipeline.errors import DataError, Problem, SpecError
from cggm_pipeline.report.material import read_facts
from cggm_pipeline.report.metrics import Metric, metric
from cggm_pipeline.report.ranks import Friedman, critical_difference, friedman, groups, least_number, ranks
from cggm_pipeline.report.table import FIRST
from cggm_pipeline.spec.base import SLUG_PATTERN, SLUG_RULE
from cggm_pipeline.spec.load import read
from cggm_pipeline.spec.text import printable


@dataclass(frozen=True)
class Column:
    """One table of the ranking: its metric, and where its runs' banner says that the data are made up."""

    table: str
    title: str
    metric: Metric
    banner: str = ""


@dataclass(frozen=True)
class Method:
    """One method: its average rank, and per table its rank and its mean (NaN: all seeds failed)."""

    slug: str
    label: str
    rank: float
    ranks: tuple[float, ...]
    means: tuple[float, ...]


@dataclass(frozen=True)
class Ranking:
    """`methods`, the best first. `friedman` None: no such test with so few. `left_out`: labels and why."""

    name: str
    title: str
    columns: tuple[Column, ...]
    methods: tuple[Method, ...]
    friedman: Friedman | None
    difference: float
    left_out: Mapping[str, str]

    @property
    def groups(self) -> list[tuple[int, int]]:
        """(first, last) places of the methods that are not told apart."""
        return groups([method.rank for method in self.methods], self.difference)

    @property
    def banners(self) -> tuple[str, ...]:
        """What must be said above everything that is printed of it."""
        return tuple(sorted({column.banner for column in self.columns} - {""}))

    @property
    def least(self) -> int:
        """Fewest tables with which any two methods could differ."""
        return least_number(len(self.methods))


def make(name: str, root: Path) -> Ranking:
    """The ranking of what was evaluated. SpecError where it is not compiled; DataError where a table was not evaluated,
    or fewer than two methods have been run in every table."""
    data = _resolved(name, root)
    rows: dict[str, str] = data["rows"]
    columns = [_column(table, found, next(iter(rows)), root) for table, found in data["tables"].items()]
    means = {column.table: _means(column, root) for column in columns}
    left_out = {
        label: f"not run in {', '.join(column.table for column in columns if slug not in means[column.table])}"
        for slug, label in rows.items()
        if any(slug not in found for found in means.values())
    }
    kept = {slug: label for slug, label in rows.items() if label not in left_out}
    if len(kept) < 2:
        told = "; ".join(f"{label}: {why}" for label, why in left_out.items())
        raise DataError(f"ranking {name}: fewer than two methods were run in every table ({told})\n  dvc repro")
    values = np.array([[means[column.table][slug] for slug in kept] for column in columns])
    signs = np.array([[1.0 if column.metric.higher_is_better else -1.0] for column in columns])
    found = ranks(values * signs)
    methods = [
        Method(slug, label, float(found[:, place].mean()), tuple(map(float, found[:, place])), tuple(values[:, place]))
        for place, (slug, label) in enumerate(kept.items())
    ]
    return Ranking(
        name=name,
        title=data["title"] or name,
        columns=tuple(columns),
        methods=tuple(sorted(methods, key=lambda method: method.rank)),
        friedman=friedman(found),
        difference=critical_difference(len(kept), len(columns)),
        left_out=left_out,
    )


def _resolved(name: str, root: Path) -> dict[str, Any]:
    shown = f"specs/resolved/rankings/{name}.yaml"
    path = root / shown
    if not all(re.fullmatch(SLUG_PATTERN, part) for part in name.split("/")):
        raise SpecError([Problem(printable(name), 0, 0, "", "is not the name of a ranking", allowed=SLUG_RULE)])
    if not path.is_file():
        raise SpecError([Problem(shown, 0, 0, "", "does not exist", hint="write specs/rankings/, then `cggm compile`")])
    document = read(path, shown)
    data = document.data
    if (
        document.problems
        or not isinstance(data, dict)
        or not all(isinstance(data.get(k), dict) for k in ("tables", "rows"))
    ):
        raise SpecError([Problem(shown, 0, 0, "", "is damaged", hint="run `cggm compile`"), *document.problems])
    return {"title": str(data.get("title") or ""), "tables": data["tables"], "rows": data["rows"]}


def _column(table: str, found: Mapping[str, Any], row: str, root: Path) -> Column:
    chosen = metric(str(found.get("metric") or FIRST[found["task"]]))
    banner = read_facts(root / "runs" / table / row / "train", "").banner
    return Column(table, str(found.get("title") or table), chosen, banner)


def _means(column: Column, root: Path) -> dict[str, float]:
    """The test mean of every evaluated row; NaN where all of its seeds failed."""
    path = root / "runs" / column.table / "metrics.json"
    if not path.is_file():
        raise DataError(f"{path.relative_to(root)}: error: the table was not evaluated\n  dvc repro")
    try:
        rows = {row: found["test"] for row, found in json.loads(path.read_text(encoding="utf-8")).items()}
        means = {row: found.get(column.metric.name, {"mean": nan})["mean"] for row, found in rows.items()}
        made = {str(row): float(mean) for row, mean in means.items()}
        counted = {row: int(found["n"]) for row, found in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path.relative_to(root)}: error: it is damaged ({error}); evaluate the table again"
        ) from error
    wrong = [row for row, mean in made.items() if isnan(mean) and counted[row]]
    if wrong:
        raise DataError(f"{path.relative_to(root)}: error: {column.metric.name!r} was not measured of {wrong[0]}")
    return made
