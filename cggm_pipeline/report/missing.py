"""What is left where modalities are missing at test time, and what each modality contributes; two plain grids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cggm_pipeline.evaluation.contributions import shapley
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import summarise
from cggm_pipeline.report.texts import summary

WIDEST = 3
"""Up to so many modalities every subset has a column; with more, subsets of one size are averaged."""

Values = Mapping[frozenset[str], float]
Column = tuple[str, Callable[[Values], float | None]]


@dataclass(frozen=True)
class Grid:
    """A table of texts: `head` over the columns after the first, one (label, texts) per row."""

    name: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def grids(material: Material, metric: Metric) -> list[Grid]:
    """Contributions and missing modalities of every row that was evaluated over subsets; empty where none was."""
    found = {row.slug: _values(material, row.slug, metric.name) for row in material.spec.rows}
    labels = {row.slug: row.label for row in material.spec.rows if found[row.slug]}
    if not labels:
        return []
    measured = {labels[slug]: found[slug] for slug in labels}
    names = sorted({name for seeds in measured.values() for values in seeds.values() for name in max(values, key=len)})
    return [_contributions(measured, names, metric), _missing(measured, names, metric)]


def _values(material: Material, row: str, metric: str) -> dict[int, Values]:
    """Per seed, the metric with every subset of the modalities."""
    return {
        seed: {frozenset(filter(None, kept.split("+"))): found[metric] for kept, found in score.subsets.items()}
        for seed, score in material.test_scores(row).items()
        if score.subsets and all(metric in found for found in score.subsets.values())
    }


def _contributions(measured: Mapping[str, Mapping[int, Values]], names: list[str], metric: Metric) -> Grid:
    caption = (
        f"What each modality adds to the test {metric.title.lower()}, averaged over all orders in which modalities can "
        "join (Shapley 1953); a row's contributions add up to the whole network's score minus that of no modality."
    )
    columns = [(name, partial(_contribution, name)) for name in names]
    return _grid("contributions", "Contribution of each modality", caption, columns, measured, metric)


def _missing(measured: Mapping[str, Mapping[int, Values]], names: list[str], metric: Metric) -> Grid:
    caption = (
        f"Test {metric.title.lower()} of the trained network with modalities absent, as a sample that lacks them would "
        "be; nothing is trained for it."
    )
    columns = _sizes(len(names)) if len(names) > WIDEST else _subsets(measured)
    return _grid("missing", "Missing modalities at test time", caption, columns, measured, metric)


def _grid(
    name: str,
    title: str,
    caption: str,
    columns: Sequence[Column],
    measured: Mapping[str, Mapping[int, Values]],
    metric: Metric,
) -> Grid:
    rows = tuple(
        (label, tuple(_text(seeds, value, metric) for _, value in columns)) for label, seeds in measured.items()
    )
    return Grid(name, title, caption, tuple(head for head, _ in columns), rows)


def _subsets(measured: Mapping[str, Mapping[int, Values]]) -> list[Column]:
    """One column per non-empty subset, smaller ones first."""
    kept = {names for seeds in measured.values() for values in seeds.values() for names in values if names}
    ordered = sorted(kept, key=lambda names: (len(names), sorted(names)))
    return [(" + ".join(sorted(names)), partial(_exactly, names)) for names in ordered]


def _sizes(number: int) -> list[Column]:
    """One column per number of missing modalities: the mean over all subsets of that size."""
    return [(f"{missing} missing", partial(_mean, number - missing)) for missing in range(number)]


def _contribution(name: str, values: Values) -> float | None:
    return shapley(values).get(name)


def _exactly(names: frozenset[str], values: Values) -> float | None:
    return values.get(names)


def _mean(size: int, values: Values) -> float | None:
    found = [value for kept, value in values.items() if len(kept) == size]
    return sum(found) / len(found) if found else None


def _text(seeds: Mapping[int, Values], value: Callable[[Values], float | None], metric: Metric) -> str:
    """Mean and standard deviation over the seeds; a dash where no seed has the value."""
    found = {seed: one for seed, values in seeds.items() if (one := value(values)) is not None}
    return summary(summarise(found), metric) if found else "–"
