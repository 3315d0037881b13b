"""On a GPU a loss, its derivatives and the score of masks never make the host wait."""

from __future__ import annotations

import pytest
import torch
from test_mask_losses import LOGITS, LOSSES, TARGET

from cggm_pipeline.tasks.segmentation import Segmentation

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@CUDA
@pytest.mark.parametrize("name", LOSSES)
def test_no_synchronisation(name):
    task = Segmentation(4, loss=LOSSES[name].cuda(), regions={"wt": (1, 2, 3), "et": (3,)})
    logits = LOGITS.float().cuda().requires_grad_()
    target = TARGET.repeat_interleave(2, 1).to(torch.uint8).cuda()
    expected = task.score(logits, target)  # the first batch moves the table of regions
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = task.loss(logits, target)
        (first,) = torch.autograd.grad(loss, logits, create_graph=True)
        torch.autograd.grad(first.square().sum(), logits)
        found = task.score(logits, target)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(found, expected)
