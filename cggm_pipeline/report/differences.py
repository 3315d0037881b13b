"""The paired difference of two rows, by the widest interval that the stored predictions allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.runs import Predictions, read_predictions
from cggm_pipeline.report.statistics import Difference, crossed_difference, holm, t_difference
from cggm_pipeline.spec.modulations import UnimodalLosses

Arrays = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a row of the table in `folder`, and one value per seed of one metric."""

    folder: Path
    row: str
    values: Mapping[int, float]


def paired(ours: Side, theirs: Side, metric: Metric) -> Difference | None:
    """`ours` minus `theirs` on the test split over common seeds; None without a common seed.

    Over seeds and test samples where the metric is a mean over samples and both sides were scored on the same samples;
    over seeds alone otherwise. `Difference.covers` says which.
    """
    common = sorted(set(ours.values) & set(theirs.values))
    if not common:
        return None
    samples = _samples(ours, theirs, metric, common)
    return t_difference(ours.values, theirs.values) if samples is None else crossed_difference(*samples)


def against(material: Material, row: str, reference: str | None, metric: Metric) -> Difference | None:
    """One row of a table minus another; None for the same row, or where one of the two has no number."""
    if reference is None or row == reference:
        return None
    return paired(_side(material, row, metric), _side(material, reference, metric), metric)


def compared(material: Material, metric: Metric) -> dict[str, dict[str, Difference]]:
    """Slug of a reference row to the differences of all other rows to it: the baseline, then joint + unimodal losses.

    The second is what a balancing method must beat: unimodal losses alone are worth points in published tables.
    """
    slugs = dict.fromkeys(slug for slug in (material.spec.baseline, demanding(material)) if slug is not None)
    return {slug: _to_all(material, slug, metric) for slug in slugs}


def demanding(material: Material) -> str | None:
    """The row that trains jointly with unimodal losses, if the table has one."""
    rows = material.spec.rows
    return next((row.slug for row in rows if isinstance(row.experiment.modulation, UnimodalLosses)), None)


def _side(material: Material, row: str, metric: Metric) -> Side:
    scores = material.test_scores(row).items()
    values = {seed: score.metrics[metric.name] for seed, score in scores if metric.name in score.metrics}
    return Side(material.folder, row, values)


def _to_all(material: Material, reference: str, metric: Metric) -> dict[str, Difference]:
    found = {row.slug: against(material, row.slug, reference, metric) for row in material.spec.rows}
    return corrected({slug: difference for slug, difference in found.items() if difference is not None})


def corrected(found: Mapping[str, Difference]) -> dict[str, Difference]:
    """Differences to one row, by slug, with Holm's correction for their number."""
    adjusted = holm([one.p for one in found.values()])
    return {slug: replace(one, holm=p) for (slug, one), p in zip(found.items(), adjusted, strict=True)}


def _samples(ours: Side, theirs: Side, metric: Metric, seeds: list[int]) -> tuple[Arrays, Arrays] | None:
    """The metric of every sample, per seed, of both sides; None where it has none or the samples are not the same."""
    if not metric.by_sample:
        return None
    both = [[read_predictions(side.folder, side.row, seed) for seed in seeds] for side in (ours, theirs)]
    ids = [None if found is None else found.ids for side in both for found in side]
    first = ids[0]
    if first is None or any(other is None or not np.array_equal(first, other) for other in ids):
        return None
    one, other = ([_values(found, metric) for found in side if found is not None] for side in both)
    whole = [[values for values in side if values is not None] for side in (one, other)]
    return (whole[0], whole[1]) if all(len(side) == len(seeds) for side in whole) else None


def _values(found: Predictions, metric: Metric) -> NDArray[np.float64] | None:
    """The metric of every sample: as stored, or else computed from what was predicted; None where neither is there."""
    if metric.name in found.samples:
        return found.samples[metric.name]
    if metric.samples is None or found.prediction is None or found.target is None:
        return None
    return metric.samples(found.prediction, found.target)
