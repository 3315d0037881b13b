"""What the report knows of a metric: how it is written, which way is better, and what it is of one sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Errors = Callable[[Array, Array], NDArray[np.float64]]


@dataclass(frozen=True)
class Metric:
    """`scale` turns the stored value into the printed one (100 for a share printed in %).

    `samples(prediction, target)` is the metric of each sample, shape (N,), where the metric of a split is the mean of
    that; None where it is not (F1, correlation), and then no bootstrap over samples exists.
    """

    name: str
    title: str
    scale: float = 1.0
    unit: str = ""
    decimals: int = 3
    higher_is_better: bool = True
    samples: Errors | None = None

    def text(self, value: float, *, signed: bool = False, decimals: int | None = None) -> str:
        """`value` (as stored) as printed, with a real minus sign; without the unit."""
        places = self.decimals if decimals is None else decimals
        printed = round(value * self.scale, places) + 0.0
        return f"{printed:{'+' if signed else ''}.{places}f}".replace("-", "−")

    @property
    def heading(self) -> str:
        return f"{self.title} [{self.unit}]" if self.unit else self.title


def _correct(prediction: Array, target: Array) -> NDArray[np.float64]:
    """1 where the most probable class is the target; prediction (N, C), target (N,)."""
    return np.asarray(prediction.argmax(axis=1) == target, dtype=np.float64)


def _absolute_error(prediction: Array, target: Array) -> NDArray[np.float64]:
    difference = np.abs(np.asarray(prediction, dtype=np.float64) - np.asarray(target).reshape(prediction.shape))
    return np.asarray(difference.reshape(len(difference), -1).mean(axis=1))


def _squared_error(prediction: Array, target: Array) -> NDArray[np.float64]:
    difference = (np.asarray(prediction, dtype=np.float64) - np.asarray(target).reshape(prediction.shape)) ** 2
    return np.asarray(difference.reshape(len(difference), -1).mean(axis=1))


def _share(name: str, title: str, samples: Errors | None = None) -> Metric:
    return Metric(name, title, scale=100.0, unit="%", decimals=1, samples=samples)


def _error(name: str, title: str, samples: Errors | None = None) -> Metric:
    return Metric(name, title, higher_is_better=False, samples=samples)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _share("accuracy", "Accuracy", _correct),
        _share("balanced_accuracy", "Balanced accuracy"),
        _share("f1_macro", "Macro F1"),
        _share("f1_weighted", "Weighted F1"),
        _share("f1", "F1"),
        _share("acc2", "Acc-2"),
        _share("acc7", "Acc-7"),
        _share("sign_accuracy", "Sign accuracy"),
        _share("auroc", "AUROC"),
        _share("average_precision", "Average precision"),
        _share("dice", "Dice"),
        Metric("corr", "Correlation"),
        Metric("r2", "R²"),
        _error("mae", "MAE", _absolute_error),
        _error("mse", "MSE", _squared_error),
        _error("rmse", "RMSE"),
        _error("loss", "Loss"),
        _error("nll", "NLL"),
        _error("ece", "ECE"),
        _error("brier", "Brier score"),
    )
}


def metric(name: str) -> Metric:
    """The metric of this name; one that the report does not know is printed as it is stored, more taken as better."""
    return METRICS.get(name) or Metric(name, name.replace("_", " ").capitalize())
