"""How far each modality's score lies ahead of the others', or behind."""

from __future__ import annotations

import torch
from torch import Tensor


def ratio_to_others(mass: Tensor) -> Tensor:
    """r_m = mean over j != m of s_m / s_j, (M,) to (M,)."""
    ratios = mass[:, None] / mass.clamp_min(torch.finfo(mass.dtype).tiny)
    return (ratios.sum(1) - ratios.diagonal()) / (len(mass) - 1)


def ratio_of_others(score: Tensor) -> Tensor:
    """r_m = (mean over j != m of s_j) / s_m, (M,) to (M,); 1 for every m where all scores are 0."""
    score = score.clamp_min(torch.finfo(score.dtype).tiny)
    return (score.sum() - score) / (len(score) - 1) / score


def lead(score: Tensor) -> Tensor:
    """Delta_m = mean of s_m - s_j over the modalities j with s_j < s_m, 0 where there is none; (M,) to (M,)."""
    difference = (score[:, None] - score).clamp_min(0)
    return difference.sum(1) / (difference > 0).sum(1).clamp_min(1)
