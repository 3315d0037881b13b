"""Calibrated probabilities by one temperature, fitted on the validation split (Guo et al., ICML 2017, section 4.2)."""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

BOUND = 20.0
"""A temperature lies in [1/20, 20]: where every validation sample is right the best one would be 0."""


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """The T > 0 with the least negative log-likelihood of softmax(logits / T): logits (N, C), class indices (N,)."""
    scores, truth = logits.detach().double().cpu(), target.cpu()

    def likelihood(log_temperature: float) -> float:
        return cross_entropy(scores / math.exp(log_temperature), truth).item()

    edge = math.log(BOUND)
    found = minimize_scalar(likelihood, bounds=(-edge, edge), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))
