"""Linear probes: how much a linear model reads from one encoder's frozen features.

The probe is fitted on the training split's features and scored once on another split; nothing is tuned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Array = np.ndarray
Probe = Callable[[Array, Array, Array, Array], dict[str, float]]


def classify(train: Array, train_target: Array, test: Array, test_target: Array) -> dict[str, float]:
    """Accuracy on `test` of multinomial logistic regression (scikit-learn, C = 1) on standardised features (N, D)."""
    from sklearn.linear_model import LogisticRegression

    train, test = _standardised(train, test)
    probe = LogisticRegression(max_iter=1000, tol=1e-3).fit(train, train_target)
    return {"accuracy": float(probe.score(test, test_target))}


def regress(train: Array, train_target: Array, test: Array, test_target: Array) -> dict[str, float]:
    """Mean absolute error and R2 on `test` of ridge regression (alpha = 1) on standardised features (N, D)."""
    from sklearn.linear_model import Ridge
    from sklearn.metrics import mean_absolute_error, r2_score

    train, test = _standardised(train, test)
    predicted = Ridge(alpha=1.0).fit(train, train_target).predict(test)
    return {
        "mae": float(mean_absolute_error(test_target, predicted)),
        "r2": float(r2_score(test_target, predicted)),
    }


def probe_all(
    probe: Probe, train: Mapping[str, Array], train_target: Array, test: Mapping[str, Array], test_target: Array
) -> dict[str, dict[str, float]]:
    """`probe` for every modality's features."""
    return {name: probe(train[name], train_target, test[name], test_target) for name in train}


def _standardised(train: Array, test: Array) -> tuple[Array, Array]:
    mean, std = train.mean(0), train.std(0)
    std = np.where(std > 1e-12, std, 1.0)  # a unit that never fires says nothing
    return (train - mean) / std, (test - mean) / std
