"""Sentiment against scikit-learn and torchmetrics, against restatements of the published code, and at its edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from cggm_pipeline.spec import tasks as specs
from cggm_pipeline.tasks.scales import sentiment_metrics
from cggm_pipeline.tasks.sentiment import Sentiment

MOSI = torch.tensor([-3.0, -2.4, -1.0, -0.2, 0.0, 0.0, 0.4, 1.6, 2.5, 3.0])


def values(number: int, scale: float, seed: int) -> torch.Tensor:
    return scale * torch.randn(number, 1, generator=torch.Generator().manual_seed(seed))


def test_mosi_against_scikit_learn():
    predicted, truth = values(400, 2.0, 0), values(400, 1.5, 1).round(decimals=1)
    truth[::9] = 0
    found = Sentiment(1).metrics(predicted, truth)
    y, p = truth.numpy().ravel(), predicted.numpy().ravel()
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, p), rel=1e-6)
    assert found["corr"] == pytest.approx(np.corrcoef(y, p)[0, 1], rel=1e-5)
    assert found["acc7"] == pytest.approx(metrics.accuracy_score(np.round(y.clip(-3, 3)), np.round(p.clip(-3, 3))))
    assert found["acc5"] == pytest.approx(metrics.accuracy_score(np.round(y.clip(-2, 2)), np.round(p.clip(-2, 2))))
    assert found["acc2"] == pytest.approx(metrics.accuracy_score(y > 0, p > 0))
    assert found["f1"] == pytest.approx(metrics.f1_score(y > 0, p > 0, average="weighted"))
    clear = y != 0
    assert found["acc2_nonzero"] == pytest.approx(metrics.accuracy_score(y[clear] > 0, p[clear] > 0))
    assert found["f1_nonzero"] == pytest.approx(metrics.f1_score(y[clear] > 0, p[clear] > 0, average="weighted"))


def test_mosi_against_torchmetrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        functional = pytest.importorskip("torchmetrics.functional")
    predicted, truth = values(300, 2.0, 2), values(300, 1.5, 3)
    found = Sentiment(1).metrics(predicted, truth)
    flat, labels = predicted.ravel(), truth.ravel()
    assert found["mae"] == pytest.approx(float(functional.mean_absolute_error(flat, labels)), rel=1e-5)
    assert found["corr"] == pytest.approx(float(functional.pearson_corrcoef(flat, labels)), rel=1e-4)
    signs = (flat > 0).long(), (labels > 0).long()
    assert found["acc2"] == pytest.approx(float(functional.accuracy(*signs, task="binary")))
    weighted = functional.f1_score(*signs, task="multiclass", num_classes=2, average="weighted")
    assert found["f1"] == pytest.approx(float(weighted))


def test_zero_is_negative_or_left_out():
    """Two labels are zero: predicted above and below; by hand."""
    truth, predicted = torch.tensor([0.0, 0.0, 1.0, -1.0]), torch.tensor([0.5, -0.5, 2.0, 0.0])
    found = Sentiment(1).metrics(predicted[:, None], truth)
    assert found["acc2"] == pytest.approx(3 / 4)  # 0.5 against 0 is wrong; 0 counts as negative on both sides
    assert found["acc2_nonzero"] == 1
    assert found["f1_nonzero"] == 1


def test_halves_go_to_the_even_number_as_in_numpy():
    truth = torch.tensor([0.0, 2.0, 2.0, -2.0, 3.0])
    predicted = torch.tensor([0.5, 1.5, 2.5, -1.5, 7.0])
    assert Sentiment(1).metrics(predicted[:, None], truth)["acc7"] == 1


@pytest.mark.parametrize(
    ("name", "limits"), [("acc5", (-0.7, -0.1, 0.1, 0.7)), ("acc3", (-0.1, 0.1)), ("acc2", (0.0,))]
)
def test_sims_intervals_are_closed_above(name, limits):
    """Restated as the published code has it: from below -1 to above 1, an interval after the other."""
    edges = (-1.01, *limits, 1.01)
    predicted, truth = values(500, 0.8, 4), values(500, 0.6, 5).round(decimals=1).clamp(-1, 1)

    def classes(numbers: torch.Tensor) -> np.ndarray:
        clipped = np.clip(numbers.numpy().ravel(), -1.0, 1.0)
        found = np.full(len(clipped), -1)
        for index in range(len(edges) - 1):
            found[(clipped > np.float32(edges[index])) & (clipped <= np.float32(edges[index + 1]))] = index
        assert (found >= 0).all()
        return found

    found = Sentiment(1, scale="sims").metrics(predicted, truth)
    assert found[name] == pytest.approx((classes(predicted) == classes(truth)).mean())


def test_a_label_on_an_edge_belongs_to_the_interval_below():
    """0.1 and 0.7 are no exact float32: comparing in float64 would move them into the interval above."""
    edges = torch.tensor([0.1, -0.1, 0.7, -0.7])
    below = edges - 0.02
    assert Sentiment(1, scale="sims").metrics(edges[:, None], below)["acc5"] == 1


@pytest.mark.parametrize("scale", ["mosi", "sims"])
@pytest.mark.parametrize("truth", [torch.zeros(4), torch.ones(4), -torch.ones(4), torch.tensor([0.4])])
@pytest.mark.parametrize("constant", [-1.0, 0.0, 1.0])
def test_degenerate_splits_have_finite_metrics(scale, truth, constant):
    """Constant predictions, one sign, one sample, no label but zero; warnings are errors here."""
    found = Sentiment(1, scale=scale).metrics(torch.full((len(truth), 1), constant), truth)
    assert all(np.isfinite(value) for value in found.values())
    assert found["corr"] == 0
    if not truth.any():
        assert found["acc2_nonzero"] == found["f1_nonzero"] == 0
        assert found["acc2"] == float(constant <= 0)


@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=30))
def test_the_truth_itself_has_the_best_of_every_metric(labels):
    truth = torch.tensor(labels)
    for scale in ("mosi", "sims"):
        found = sentiment_metrics(truth[:, None], truth, scale)
        assert found["mae"] == 0
        for name in ("acc7", "acc5", "acc3", "acc2", "f1"):
            assert found.get(name, 1) == 1


@pytest.mark.parametrize("scale", ["mosi", "sims"])
def test_what_is_measured_is_what_the_spec_says(scale):
    spec = specs.Sentiment.model_validate({"kind": "sentiment", "scale": scale})
    found = Sentiment(1, scale=scale).metrics(MOSI[:, None], MOSI)
    assert list(spec.measured()) == list(found)
    assert spec.measured() == dict(Sentiment(1, scale=scale).higher_is_better)


def test_the_score_is_the_share_of_right_signs_on_the_device():
    predicted, truth = torch.tensor([[0.5], [-0.5], [0.0], [0.0]]), torch.tensor([1.0, 1.0, -2.0, 0.0])
    assert float(Sentiment(1).score(predicted, truth)) == 3 / 4


def test_samples_have_the_metric_as_their_mean():
    predicted, truth = values(50, 2.0, 6), values(50, 1.5, 7)
    task = Sentiment(1)
    found, samples = task.metrics(predicted, truth), task.samples(predicted, truth)
    assert samples.keys() == {"acc7", "acc5", "acc2", "acc2_nonzero"}
    for name, each in samples.items():
        assert each.mean() == pytest.approx(found[name])
        assert each.shape == (50,)
    truth[::3] = 0  # neutral samples count nothing, and the mean is over the others
    found, each = task.metrics(predicted, truth), task.samples(predicted, truth)["acc2_nonzero"]
    assert not each[::3].any()
    assert each.mean() == pytest.approx(found["acc2_nonzero"])
    assert not task.samples(predicted, truth * 0)["acc2_nonzero"].any()
