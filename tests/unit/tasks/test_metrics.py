"""Tasks against numbers worked out by hand and against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from cggm_pipeline.tasks.classification import Classification
from cggm_pipeline.tasks.measures import calibration_error
from cggm_pipeline.tasks.regression import Regression


def test_classification_against_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(400, 5, generator=generator), torch.randint(5, (400,), generator=generator)
    found = Classification(5).metrics(logits, target)
    truth, predicted = target.numpy(), logits.argmax(1).numpy()
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert found["f1_weighted"] == pytest.approx(metrics.f1_score(truth, predicted, average="weighted"))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
    assert found["nll"] == pytest.approx(metrics.log_loss(truth, logits.double().softmax(1).numpy()))


def test_calibration_error_by_hand() -> None:
    """Two samples at confidence .9 (one right), two at .6 (both right): (2 |.5 - .9| + 2 |1 - .6|) / 4."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert calibration_error(probabilities, np.array([0, 1, 0, 1])) == pytest.approx(0.4)


def test_calibration_bins_are_closed_above() -> None:
    probabilities = np.array([[1 / 3, 2 / 3 - 0.2, 0.2], [0.25, 0.375, 0.375]])
    bins = [probabilities[0].max(), probabilities[1].max()]  # .4667 -> bin 7 of (6/15, 7/15], .375 -> (5/15, 6/15]
    expected = (abs(1 - bins[0]) + abs(0 - bins[1])) / 2
    assert calibration_error(probabilities, np.array([1, 0])) == pytest.approx(expected)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_a_certain_wrong_class_has_a_finite_likelihood() -> None:
    found = Classification(2).metrics(torch.tensor([[1e4, -1e4]]), torch.tensor([1]))
    assert found["nll"] == pytest.approx(2e4)


def test_regression_against_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(1)
    values, target = torch.randn(300, 2, generator=generator), torch.randn(300, 2, generator=generator)
    found = Regression(2).metrics(values, target)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(target, values), rel=1e-5)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(target, values), rel=1e-5)
    assert found["r2"] == pytest.approx(metrics.r2_score(target, values), rel=1e-5)
    expected = np.mean([np.corrcoef(values[:, k], target[:, k])[0, 1] for k in range(2)])
    assert found["corr"] == pytest.approx(expected, rel=1e-5)


def test_a_flat_target_of_one_value_never_broadcasts() -> None:
    task = Regression(1)
    values, target = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1.0, 2.0, 4.0])
    assert task.loss(values, target) == pytest.approx(1 / 3)
    assert task.metrics(values, target)["mae"] == pytest.approx(1 / 3)
    with pytest.raises(RuntimeError):
        task.loss(values, torch.zeros(2))


def test_scores() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert Classification(2).score(logits, torch.tensor([0, 0, 0])) == pytest.approx(2 / 3)
    values, target = torch.tensor([[0.5], [-0.5], [0.0]]), torch.tensor([1.0, 1.0, -2.0])
    assert Regression(1, score="sign").score(values, target) == pytest.approx(2 / 3)
    assert Regression(1).score(values, target) == pytest.approx(math.exp(-(0.5 + 1.5 + 2) / 3))
