"""Losses against torch, and against their equations where torch has none."""

import pytest
import torch
from torch.nn import functional as F

from cggm_pipeline.tasks.losses.cross_entropy import CrossEntropy
from cggm_pipeline.tasks.losses.focal import Focal
from cggm_pipeline.tasks.losses.huber import Huber
from cggm_pipeline.tasks.losses.l1 import L1
from cggm_pipeline.tasks.losses.mse import MSE

LOGITS = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGET = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
WEIGHTS = (0.5, 1.0, 3.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy(smoothing: float, weights: tuple[float, ...] | None) -> None:
    expected = F.cross_entropy(
        LOGITS, TARGET, torch.tensor(weights, dtype=torch.float64) if weights else None, label_smoothing=smoothing
    )
    loss = CrossEntropy(label_smoothing=smoothing, class_weights=weights)
    torch.testing.assert_close(loss(LOGITS, TARGET), expected)
    assert loss(LOGITS.float(), TARGET).dtype == torch.float32
    assert not loss.state_dict()


def test_focal_by_its_equation_and_gamma_zero_is_cross_entropy() -> None:
    p = LOGITS.softmax(1)[torch.arange(8), TARGET]
    torch.testing.assert_close(Focal(gamma=1.5)(LOGITS, TARGET), (-((1 - p) ** 1.5) * p.log()).mean())
    torch.testing.assert_close(Focal(gamma=0.0)(LOGITS, TARGET), F.cross_entropy(LOGITS, TARGET))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_finite_derivatives_where_the_class_is_certain(gamma: float) -> None:
    logits = torch.tensor([[100.0, -100.0], [0.0, 300.0]], requires_grad=True)
    (first,) = torch.autograd.grad(Focal(gamma=gamma)(logits, torch.tensor([0, 0])), logits, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), logits)
    assert first.isfinite().all()
    assert second.isfinite().all()


def test_regression_losses() -> None:
    values, truth = LOGITS, LOGITS.flip(0)
    torch.testing.assert_close(L1()(values, truth), (values - truth).abs().mean())
    torch.testing.assert_close(MSE()(values, truth), ((values - truth) ** 2).mean())
    error = (values - truth).abs()
    expected = torch.where(error <= 0.7, error**2 / 2, 0.7 * (error - 0.35)).mean()
    torch.testing.assert_close(Huber(delta=0.7)(values, truth), expected)
