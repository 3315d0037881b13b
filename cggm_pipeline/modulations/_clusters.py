"""How well features fall into clusters of one class each. On the host, between two epochs."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor


def scaled(features: Tensor) -> Tensor:
    """Each dimension of (N, D) moved and stretched to [-1, 1]; 0 where it is constant."""
    low, high = torch.aminmax(features, dim=0)
    span = high - low
    return torch.where(span > 0, 2 * (features - low) / torch.where(span > 0, span, 1) - 1, 0.0)


def clusters(features: Tensor, number: int) -> Tensor:
    """The k-means cluster of every row of (N, D), with at most `number` clusters: (N,) int64; the same in every run."""
    # taken from the environment only here: the methods need torch alone, except for this one
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    means = KMeans(min(number, len(features)), random_state=0, n_init=10)
    with threadpool_limits(1), warnings.catch_warnings():  # sums of several threads differ from run to run
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters: purity is defined
        return torch.as_tensor(means.fit_predict(features.to("cpu"))).long()


def purity(cluster: Tensor, target: Tensor) -> float:
    """(1/N) sum over clusters of the samples of their most frequent class: both (N,) of indices from 0."""
    classes = int(target.max()) + 1
    counts = torch.bincount(cluster * classes + target, minlength=(int(cluster.max()) + 1) * classes)
    return int(counts.view(-1, classes).amax(1).sum()) / len(target)
