"""Losses of half-precision logits, as a step under autocast makes them, are those of the same logits in float32."""

from __future__ import annotations

import pytest
import torch

from cggm_pipeline.tasks.classification import Classification
from cggm_pipeline.tasks.losses.cross_entropy import CrossEntropy
from cggm_pipeline.tasks.losses.cross_entropy_dice import CrossEntropyDice
from cggm_pipeline.tasks.losses.focal import Focal
from cggm_pipeline.tasks.losses.huber import Huber
from cggm_pipeline.tasks.losses.l1 import L1
from cggm_pipeline.tasks.losses.lovasz import Lovasz
from cggm_pipeline.tasks.losses.mse import MSE
from cggm_pipeline.tasks.losses.smp_loss import SMPLoss
from cggm_pipeline.tasks.regression import Regression
from cggm_pipeline.tasks.segmentation import Segmentation
from cggm_pipeline.tasks.sentiment import Sentiment

WEIGHTS = (0.2, 0.3, 0.25, 0.25)
"""0.3 is 0.3008 in bfloat16."""
GENERATOR = torch.Generator().manual_seed(0)
MAPS, MASKS = 3 * torch.randn(2, 4, 6, 6, generator=GENERATOR), torch.randint(4, (2, 12, 12), generator=GENERATOR)
ROWS, CLASSES = 3 * torch.randn(8, 4, generator=GENERATOR), torch.randint(4, (8,), generator=GENERATOR)
VALUES, LABELS = torch.randn(8, 1, generator=GENERATOR), torch.tensor([2.6, -0.333, 0.1, 1.4, -2.8, 0.0, 3.0, -1.2])

SMP = {name: SMPLoss(loss=name) for name in ("dice", "jaccard", "tversky", "lovasz", "focal")}
CASES = {
    **{f"mask {name}": (Segmentation(4, loss=loss), MAPS, MASKS) for name, loss in SMP.items()},
    "mask cross_entropy_dice": (Segmentation(4, loss=CrossEntropyDice(class_weights=WEIGHTS)), MAPS, MASKS),
    "mask cross_entropy": (Segmentation(4, loss=CrossEntropy(class_weights=WEIGHTS)), MAPS, MASKS),
    "mask lovasz": (Segmentation(4, loss=Lovasz()), MAPS, MASKS),
    "cross_entropy": (Classification(4, loss=CrossEntropy(class_weights=WEIGHTS)), ROWS, CLASSES),
    "focal": (Classification(4, loss=Focal()), ROWS, CLASSES),
    "sentiment": (Sentiment(1), VALUES, LABELS),
    **{f"regression {loss}": (Regression(1, loss=loss), VALUES, LABELS) for loss in (L1(), MSE(), Huber())},
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", CASES)
def test_the_loss_is_computed_in_single_precision(case, dtype):
    task, logits, target = CASES[case]
    half = logits.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = task.loss(half, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, task.loss(half.float(), target))
    assert torch.equal(task.loss(half, target), found)


def test_the_score_of_a_loss_too():
    task = Regression(1, score="exp_loss")
    assert torch.equal(task.score(VALUES.bfloat16(), LABELS), task.score(VALUES.bfloat16().float(), LABELS))


def test_classes_are_read_from_maps_that_were_enlarged_in_single_precision():
    task = Segmentation(4)
    assert torch.equal(task.classes(MAPS.bfloat16(), (12, 12)), task.classes(MAPS.bfloat16().float(), (12, 12)))
