"""Losses of masks against plain numpy, against smp, and differentiated twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cggm_pipeline.tasks.losses.cross_entropy import CrossEntropy
from cggm_pipeline.tasks.losses.cross_entropy_dice import CrossEntropyDice
from cggm_pipeline.tasks.losses.focal import Focal
from cggm_pipeline.tasks.losses.lovasz import Lovasz
from cggm_pipeline.tasks.losses.smp_loss import SMPLoss

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(3, 4, 5, 6, generator=GENERATOR, dtype=torch.float64)
TARGET = torch.randint(4, (3, 5, 6), generator=GENERATOR)
WEIGHTS = (0.2, 0.3, 0.25, 0.25)


def softmax(logits: torch.Tensor) -> np.ndarray:
    """Probabilities (B, H, W, C)."""
    shifted = np.exp(logits.numpy().transpose(0, 2, 3, 1))
    return shifted / shifted.sum(-1, keepdims=True)


def released(logits: torch.Tensor, target: torch.Tensor, smooth: float = 0.01) -> float:
    """0.5 weighted cross-entropy + 0.5 (1 - 2 I / (P + T + smooth)) over the batch and the classes 1 to 3."""
    p, truth, weights = softmax(logits), target.numpy(), np.array(WEIGHTS)
    hot = np.eye(4)[truth]
    entropy = -(np.log(p) * hot).sum(-1) * weights[truth]
    entropy = entropy.sum() / weights[truth].sum()
    both, total = (p * hot)[..., 1:].sum(), p[..., 1:].sum() + hot[..., 1:].sum()
    return 0.5 * entropy + 0.5 * (1 - 2 * both / (total + smooth))


@pytest.mark.parametrize("target", [TARGET, torch.zeros_like(TARGET), torch.full_like(TARGET, 3)])
def test_cross_entropy_dice_is_the_released_loss(target):
    found = CrossEntropyDice(class_weights=WEIGHTS)(LOGITS, target)
    assert float(found) == pytest.approx(released(LOGITS, target))


def test_its_parts_alone():
    entropy = CrossEntropyDice(weight=1.0, class_weights=WEIGHTS)(LOGITS, TARGET)
    torch.testing.assert_close(entropy, CrossEntropy(class_weights=WEIGHTS)(LOGITS, TARGET))
    sure = 40 * F.one_hot(TARGET, 4).movedim(-1, 1).double()
    assert float(CrossEntropyDice(weight=0.0, smooth=1e-9)(sure, TARGET)) == pytest.approx(0, abs=1e-8)
    assert not CrossEntropyDice(class_weights=WEIGHTS).state_dict()


def test_cross_entropy_and_focal_read_masks():
    p = softmax(LOGITS)
    truth = np.take_along_axis(p, TARGET.numpy()[..., None], -1)[..., 0]
    assert float(CrossEntropy()(LOGITS, TARGET)) == pytest.approx(-np.log(truth).mean())
    assert float(Focal(gamma=2.0)(LOGITS, TARGET)) == pytest.approx((-((1 - truth) ** 2) * np.log(truth)).mean())


def test_dice_jaccard_and_tversky_by_their_definitions():
    """1 - TP / (TP + a FP + b FN) of every class, averaged: a = b = 1/2 is Dice, 1 is Jaccard."""
    p, hot = softmax(LOGITS), np.eye(4)[TARGET.numpy()]
    both = (p * hot).sum((0, 1, 2))
    wrong, missed = p.sum((0, 1, 2)) - both, hot.sum((0, 1, 2)) - both

    def expected(alpha: float, beta: float, gamma: float = 1.0) -> float:
        return (1 - both / (both + alpha * wrong + beta * missed)).mean() ** gamma

    assert float(SMPLoss(loss="dice")(LOGITS, TARGET)) == pytest.approx(expected(0.5, 0.5))
    assert float(SMPLoss(loss="jaccard")(LOGITS, TARGET)) == pytest.approx(expected(1, 1))
    found = SMPLoss(loss="tversky", alpha=0.3, beta=0.7, gamma=2.0)(LOGITS, TARGET)
    assert float(found) == pytest.approx(expected(0.3, 0.7, 2.0))
    assert float(SMPLoss(loss="tversky", alpha=0.3, beta=0.7)(LOGITS, TARGET)) == pytest.approx(expected(0.3, 0.7))


@pytest.mark.parametrize("gamma", [None, 1.0, 3.0])
def test_smp_focal_is_one_class_against_the_rest(gamma):
    p = 1 / (1 + np.exp(-LOGITS.numpy()))
    hot = np.eye(4)[TARGET.numpy()].transpose(0, 3, 1, 2)
    right = np.where(hot == 1, p, 1 - p)
    expected = (-((1 - right) ** (2.0 if gamma is None else gamma)) * np.log(right)).mean()
    assert float(SMPLoss(loss="focal", gamma=gamma)(LOGITS, TARGET)) == pytest.approx(expected)


@pytest.mark.parametrize("target", [TARGET, torch.zeros_like(TARGET), TARGET.clamp_max(1)])
def test_lovasz_is_smps_without_asking_the_device(target):
    from segmentation_models_pytorch.losses import LovaszLoss

    expected = LovaszLoss("multiclass")(LOGITS.float(), target)
    torch.testing.assert_close(Lovasz()(LOGITS.float(), target), expected)
    assert isinstance(SMPLoss(loss="lovasz").loss, Lovasz)


LOSSES = {
    "cross_entropy_dice": CrossEntropyDice(class_weights=WEIGHTS),
    "cross_entropy": CrossEntropy(),
    "focal": Focal(),
    **{name: SMPLoss(loss=name) for name in ("dice", "jaccard", "tversky", "lovasz", "focal")},
}


@pytest.mark.parametrize("name", LOSSES)
def test_differentiated_twice(name):
    """The direction term of CGGM differentiates through the gradient of this loss."""
    logits, target = LOGITS[:2, :, :2, :2].clone().requires_grad_(), TARGET[:2, :2, :2]
    assert torch.autograd.gradgradcheck(lambda given: LOSSES[name](given, target), (logits,))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("size", [0.0, 60.0])
def test_derivatives_are_finite_at_the_edges(name, target, size):
    """One class alone in the batch; logits all equal, and logits that are sure and wrong or right."""
    logits = torch.zeros(2, 4, 3, 3)
    logits[:, 3] = size
    logits.requires_grad_()
    (first,) = torch.autograd.grad(LOSSES[name](logits, torch.full((2, 3, 3), target)), logits, create_graph=True)
    (second,) = torch.autograd.grad(first.sum() + first.square().sum(), logits)
    assert first.isfinite().all()
    assert second.isfinite().all()
