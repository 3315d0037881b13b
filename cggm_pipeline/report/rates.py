"""What is left where every modality is missing at random, at growing rates."""

from __future__ import annotations

from collections.abc import Mapping

from cggm_pipeline.report.cases import Cell
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.missing import Grid
from cggm_pipeline.report.statistics import Summary, summarise
from cggm_pipeline.report.texts import summary
from cggm_pipeline.report.verdict import NO_NUMBER

DRAWN = (
    "At a rate every modality of every test sample is missing with this probability, independently; of a sample that "
    "would lose all, the last to go stays. Drawn from the run's seed and the samples' ids: for one seed the gaps are "
    "the same in every row, and what is gone at one rate is gone at every higher one. Nothing is trained for it."
)
"""What was drawn, for the captions of the grid and the figure."""


def rates_of(material: Material, metric: Metric) -> dict[str, dict[float, Summary]]:
    """Row slug to rate to the metric over the seeds; only rows and rates that were measured, growing rates."""
    found = {}
    for row in material.spec.rows:
        values: dict[float, dict[int, float]] = {}
        for seed, score in material.test_scores(row.slug).items():
            for rate, metrics in score.rates.items():
                if metric.name in metrics:
                    values.setdefault(float(rate), {})[seed] = metrics[metric.name]
        if values:
            found[row.slug] = {rate: summarise(values[rate]) for rate in sorted(values)}
    return found


def rate_grids(material: Material, metric: Metric) -> list[Grid]:
    """One grid with a column per rate; none where no row was measured at any."""
    found = rates_of(material, metric)
    rates = _rates(found)
    labels = {row.slug: row.label for row in material.spec.rows}
    rows = tuple((labels[slug], tuple(summary(row.get(rate), metric) for rate in rates)) for slug, row in found.items())
    head = tuple(f"{100 * rate:g} %" for rate in rates)
    caption = f"Test {metric.title.lower()} of the trained network. {DRAWN}"
    return [Grid("missing-rates", "Modalities missing at random", caption, head, rows)] if rows else []


def rate_cells(material: Material, metric: Metric) -> list[Cell]:
    """The same for files."""
    labels = {row.slug: row.label for row in material.spec.rows}
    return [
        Cell(slug, labels[slug], metric, f"rate {rate:g}", summary, None, NO_NUMBER)
        for slug, row in rates_of(material, metric).items()
        for rate, summary in row.items()
    ]


def _rates(found: Mapping[str, Mapping[float, Summary]]) -> list[float]:
    return sorted({rate for row in found.values() for rate in row})
