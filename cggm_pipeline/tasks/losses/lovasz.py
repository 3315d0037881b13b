"""Lovasz-Softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Lovasz(nn.Module):
    """The Lovasz extension of the Jaccard loss of each class that occurs, averaged (Berman et al. 2018, equation 9).

    Logits (B, C, ...) and class indices (B, ...), over the whole batch. The values of segmentation-models-pytorch's
    LovaszLoss, which asks the device once per class whether the class occurs, and takes no float64.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        classes = logits.shape[1]
        probabilities = logits.softmax(1).movedim(1, 0).flatten(1)
        truth = F.one_hot(target.flatten(), classes).T.to(probabilities.dtype)
        errors, order = (truth - probabilities).abs().sort(1, descending=True)
        weights = _jaccard_steps(truth.gather(1, order))
        occurs = (truth.sum(1) > 0).to(errors.dtype)
        return ((errors * weights).sum(1) * occurs).sum() / occurs.sum()


def _jaccard_steps(truth: Tensor) -> Tensor:
    """By how much the Jaccard loss grows with each further pixel that is wrong: (C, P), pixels by falling error."""
    total = truth.sum(1, keepdim=True)
    jaccard = 1 - (total - truth.cumsum(1)) / (total + (1 - truth).cumsum(1))
    return torch.cat([jaccard[:, :1], jaccard.diff(dim=1)], 1)
