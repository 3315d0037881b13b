"""How far apart modalities are: contrastive loss of their features, divergence of their predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations._head import full_precision


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The symmetric InfoNCE of features (B, D): row i of one belongs to row i of the other and to no other row.

    -(1/2B) sum_i (log softmax_j(cos(a_i, b_j) / tau)[i] + log softmax_j(cos(b_i, a_j) / tau)[i])
    """
    first, second = full_precision([first, second])
    similarity = functional.normalize(first) @ functional.normalize(second).T / temperature
    own = torch.arange(len(similarity), device=similarity.device)
    return (functional.cross_entropy(similarity, own) + functional.cross_entropy(similarity.T, own)) / 2


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """The mean over samples of (KL(m | p) + KL(m | q)) / 2, m = (p + q) / 2, for the softmaxes p, q of logits (B, C).

    The Jensen-Shannon divergence has KL(p | m) and KL(q | m) instead.
    """
    p, q = (logits.log_softmax(-1) for logits in full_precision([first, second]))
    middle = torch.logaddexp(p, q) - math.log(2)
    return (middle.exp() * (middle - (p + q) / 2)).sum(-1).mean()


def over_pairs(distance: Callable[[Tensor, Tensor], Tensor], values: Sequence[Tensor]) -> Tensor:
    """The mean of `distance` over all pairs."""
    return torch.stack([distance(first, second) for first, second in combinations(values, 2)]).mean()
