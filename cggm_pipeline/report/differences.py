"""The paired difference of one row to the baseline row, by the widest interval that the stored predictions allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.runs import read_predictions
from cggm_pipeline.report.statistics import Difference, crossed_difference, t_difference

Samples = dict[int, NDArray[np.float64]]


def against(material: Material, row: str, metric: Metric) -> Difference | None:
    """Row minus baseline on the test split over common seeds; None for the baseline itself or without common seeds.

    Over seeds and test samples where the metric is a mean over samples and both rows were scored on the same samples;
    over seeds alone otherwise. `Difference.covers` says which.
    """
    baseline = material.spec.baseline
    if baseline is None or row == baseline:
        return None
    ours, base = (_values(material, name, metric) for name in (row, baseline))
    common = sorted(set(ours) & set(base))
    if not common:
        return None
    paired = _paired(material, row, baseline, metric, common)
    return t_difference(ours, base) if paired is None else crossed_difference(*paired)


def _values(material: Material, row: str, metric: Metric) -> dict[int, float]:
    scores = material.test_scores(row).items()
    return {seed: score.metrics[metric.name] for seed, score in scores if metric.name in score.metrics}


def _paired(
    material: Material, row: str, baseline: str, metric: Metric, seeds: list[int]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] | None:
    """The metric of every sample, per seed, of both rows; None where it has none or the samples are not the same."""
    if metric.samples is None:
        return None
    both = [[read_predictions(material.folder, name, seed) for seed in seeds] for name in (row, baseline)]
    flat = [found for predictions in both for found in predictions]
    if any(found is None for found in flat):
        return None
    first = flat[0]
    assert first is not None
    if any(found is None or not np.array_equal(found.ids, first.ids) for found in flat):
        return None
    ours, base = ([metric.samples(p.prediction, p.target) for p in side if p is not None] for side in both)
    return ours, base
