"""Metrics of sentiment scales, on the host: intervals of the scale, and the two conventions for its zero.

Acc-7 and Acc-5 of CMU-MOSI and CMU-MOSEI as in MulT (Tsai et al. 2019), the intervals of CH-SIMS as in Yu et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cggm_pipeline.tasks.measures import regression_metrics

Array = NDArray[Any]


def rounded(limit: float) -> Callable[[Array], Array]:
    """The nearest whole number after clipping to -limit .. limit; halves go to the even one, as numpy has it."""
    return lambda values: np.round(values.clip(-limit, limit))


def between(*edges: float) -> Callable[[Array], Array]:
    """The number of the interval that a value lies in; each is closed above. Compared in the values' precision."""
    return lambda values: np.searchsorted(np.array(edges, values.dtype), values, side="left")


SCALES: Mapping[str, Mapping[str, Callable[[Array], Array]]] = {
    "mosi": {"acc7": rounded(3), "acc5": rounded(2)},
    "sims": {"acc5": between(-0.7, -0.1, 0.1, 0.7), "acc3": between(-0.1, 0.1)},
}
"""Scale to the classes of its accuracies: a sample is right where prediction and label fall into the same class."""


def sentiment_metrics(values: Tensor, target: Tensor, scale: str) -> dict[str, float]:
    """Metrics of values (N, 1) against labels of as many numbers.

    `acc2`, `f1` (weighted): above zero against not above, over all samples. `acc2_nonzero`, `f1_nonzero`: the same over
    samples whose label is not zero; 0 where there is none.
    """
    predicted, truth = _flat(values), _flat(target)
    found = {name: float(right.mean()) for name, right in sentiment_samples(values, target, scale).items()}
    measured = regression_metrics(values, target)
    clear = truth != 0
    return {
        "mae": measured["mae"],
        "corr": measured["corr"],
        **{name: found[name] for name in SCALES[scale]},
        "acc2": found["acc2"],
        "f1": _weighted_f1(predicted > 0, truth > 0),
        "acc2_nonzero": found["acc2_nonzero"],
        "f1_nonzero": _weighted_f1(predicted[clear] > 0, truth[clear] > 0) if clear.any() else 0.0,
    }


def sentiment_samples(values: Tensor, target: Tensor, scale: str) -> dict[str, np.ndarray]:
    """For every accuracy 1 where the sample is right, else 0 (of several values their mean), (N,).

    `acc2_nonzero` is a mean over the samples whose label is not zero: the others have 0, and these N over their number
    in place of 1, so that the mean over all is the metric.
    """
    predicted, truth = _flat(values), _flat(target)
    right = {name: classes(predicted) == classes(truth) for name, classes in SCALES[scale].items()}
    right["acc2"] = (predicted > 0) == (truth > 0)
    right["acc2_nonzero"] = (right["acc2"] & (truth != 0)) * (len(truth) / max(int(np.count_nonzero(truth)), 1))
    return {name: same.astype(np.float64).reshape(len(values), -1).mean(1) for name, same in right.items()}


def _flat(values: Tensor) -> Array:
    return values.detach().float().cpu().numpy().reshape(-1)


def _weighted_f1(predicted: Array, truth: Array) -> float:
    from sklearn.metrics import f1_score  # slow to import, and only evaluation needs it

    return float(f1_score(truth, predicted, average="weighted", zero_division=0.0))
