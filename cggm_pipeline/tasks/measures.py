"""Metrics of a whole split, on the host, by scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


def classification_metrics(logits: Tensor, target: Tensor) -> dict[str, float]:
    """Metrics of logits (N, C) against class indices (N,). Classes that no sample has do not enter an average."""
    from sklearn import metrics  # slow to import, and only evaluation needs it

    scores = logits.detach().double().log_softmax(1).cpu().numpy()
    truth = target.cpu().numpy()
    predicted = scores.argmax(1)
    present = np.unique(truth)  # f1 over the classes that occur: an absent class has no recall
    return {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "f1_macro": float(metrics.f1_score(truth, predicted, labels=present, average="macro", zero_division=0.0)),
        "f1_weighted": float(metrics.f1_score(truth, predicted, labels=present, average="weighted", zero_division=0.0)),
        # = balanced_accuracy_score, which warns where a class is predicted that no sample has
        "balanced_accuracy": float(
            metrics.recall_score(truth, predicted, labels=present, average="macro", zero_division=0.0)
        ),
        "nll": float(-scores[np.arange(len(truth)), truth].mean()),
        "ece": calibration_error(np.exp(scores), truth),
    }


def calibration_error(probabilities: Array, truth: NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error: mean over samples of |accuracy - confidence| of the sample's confidence bin.

    `probabilities` (N, C); bins of equal width, closed above (Guo et al. 2017, equation 3).
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def regression_metrics(values: Tensor, target: Tensor) -> dict[str, float]:
    """Metrics of values (N, K) against targets of the same shape, averaged over K.

    Where a column of either is constant its correlation is 0; r2 of a constant target is 1 if met exactly, else 0.
    """
    from sklearn import metrics

    predicted: Array = values.detach().double().cpu().numpy()
    truth: Array = target.double().cpu().numpy().reshape(predicted.shape)
    return {
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "rmse": float(metrics.root_mean_squared_error(truth, predicted)),
        "corr": float(np.mean([_correlation(truth[:, k], predicted[:, k]) for k in range(values.shape[1])])),
        # one sample has no variance to explain, and scikit-learn warns
        "r2": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else 0.0,
    }


def _correlation(a: Array, b: Array) -> float:
    """Pearson correlation of two columns; 0 where one is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0
