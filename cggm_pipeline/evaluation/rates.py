"""Metrics with modalities missing at random at test time, at one rate after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cggm_pipeline.data.gaps import Gaps
from cggm_pipeline.data.patterns.rate import Rate
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.evaluation.predictors.plain import PLAIN
from cggm_pipeline.network import Network
from cggm_pipeline.tasks.base import Task

if TYPE_CHECKING:
    from cggm_pipeline.data.batches import Batches


def rate_metrics(
    network: Network,
    task: Task,
    data: Batches,
    rates: Sequence[float],
    *,
    split: str,
    seed: int,
    predictor: Predictor = PLAIN,
    batch_size: int | None = None,
) -> dict[float, dict[str, float]]:
    """The task's metrics, and `loss`, with every modality missing at each of `rates`, each a pass of its own.

    The gaps are those of the pattern `rate` with this seed for the split of this name, in place of the pattern that
    `data` has: coupled, so that what is gone at one rate is gone at every higher one.
    """
    found = {}
    for rate in rates:
        gaps = Gaps(Rate(network.modalities, rate=rate), data.split, split, seed=seed)
        found[rate] = evaluate(network, task, data.under(gaps), predictor=predictor, batch_size=batch_size)
    return found
