"""Losses without targets: agreement of two views, certainty of predictions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from cggm_pipeline.tasks.base import full_precision


def nt_xent(first: Tensor, second: Tensor, *, temperature: float = 0.5) -> Tensor:
    """The normalised temperature-scaled cross-entropy of two views' representations, (B, D) or maps (B, D, H, W).

    l(i, j) = -log exp(s_ij / tau) / sum over k != i of exp(s_ik / tau), averaged over the 2 B ordered pairs of the two
    views of a sample; s: cosine similarity, k: all 2 B rows (Chen et al., ICML 2020, equation 1; CASP's released code).
    A map counts by its mean over pixels. One sample alone has no negatives: its loss and gradient are exactly 0.
    """
    z = F.normalize(torch.cat([_vectors(first), _vectors(second)]))
    number = len(first)
    itself = torch.eye(2 * number, dtype=torch.bool, device=z.device)
    similarity = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    return F.cross_entropy(similarity, torch.arange(2 * number, device=z.device).roll(number))


def _vectors(z: Tensor) -> Tensor:
    return full_precision(z).flatten(2).mean(2) if z.dim() > 2 else full_precision(z)


def entropy(logits: Tensor) -> Tensor:
    """The mean over samples (and pixels) of -sum_c p_c log p_c in nats, p = softmax over axis 1 of (B, C, ...)."""
    logs = full_precision(logits).log_softmax(1)
    return -(logs.exp() * logs).sum(1).mean()
