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
    that; None where it is not (F1, correlation), and then no bootstrap over samples exists. `stored`: the predictions
    file has numbers whose mean it is itself, one of every sample or case.
    """

    name: str
    title: str
    scale: float = 1.0
    unit: str = ""
    decimals: int = 3
    higher_is_better: bool = True
    samples: Errors | None = None
    stored: bool = False

    @property
    def by_sample(self) -> bool:
        """Whether the metric of a split is the mean over its samples (or cases)."""
        return self.stored or self.samples is not None

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


def _share(name: str, title: str, samples: Errors | None = None, *, stored: bool = False) -> Metric:
    return Metric(name, title, scale=100.0, unit="%", decimals=1, samples=samples, stored=stored)


def _error(name: str, title: str, samples: Errors | None = None) -> Metric:
    return Metric(name, title, higher_is_better=False, samples=samples)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _share("accuracy", "Accuracy", _correct),
        _share("balanced_accuracy", "Balanced accuracy"),
        _share("f1_macro", "Macro F1"),
        _share("f1_weighted", "Weighted F1"),
        _share("acc2", "Acc-2 (zero negative)", stored=True),
        _share("acc2_nonzero", "Acc-2 (zeros excluded)", stored=True),
        _share("f1", "Weighted F1 (zero negative)"),
        _share("f1_nonzero", "Weighted F1 (zeros excluded)"),
        _share("acc3", "Acc-3", stored=True),
        _share("acc5", "Acc-5", stored=True),
        _share("acc7", "Acc-7", stored=True),
        _share("sign_accuracy", "Sign accuracy"),
        _share("auroc", "AUROC"),
        _share("average_precision", "Average precision"),
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


FAMILIES: dict[str, Callable[[str, str], Metric]] = {
    "dice": lambda name, region: _share(name, f"Dice per case{region}", stored=True),
    "slice_dice": lambda name, region: _share(name, f"Dice per slice{region}", stored=True),
    "hd95": lambda name, region: Metric(
        name, f"HD95{region}", unit="mm", decimals=1, higher_is_better=False, stored=True
    ),
}
"""Metrics that exist once as they are and once per region, NAME_REGION."""


def metric(name: str) -> Metric:
    """The metric of this name; one that the report does not know is printed as it is stored, more taken as better."""
    if name in METRICS:
        return METRICS[name]
    for family, make in FAMILIES.items():
        if name == family or name.startswith(f"{family}_"):
            return make(name, _region(name.removeprefix(family).removeprefix("_")))
    return Metric(name, name.replace("_", " ").capitalize())


def _region(slug: str) -> str:
    """`, WT` for wt, `, spinal cord` for spinal_cord; nothing for the mean over regions."""
    if not slug:
        return ""
    return f", {slug.upper() if len(slug) <= 3 else slug.replace('_', ' ').replace('-', ' ')}"
