"""Batch normalisation by the statistics of the target data (Schneider et al., NeurIPS 2020; Nado et al. 2020)."""

from __future__ import annotations

from torch import nn

from cggm_pipeline.evaluation.adaptation.copies import adaptable
from cggm_pipeline.evaluation.adaptation.statistics import check_batch_norms, mix_batch_statistics_
from cggm_pipeline.evaluation.predictors.adapting import Adapting
from cggm_pipeline.evaluation.predictors.base import Ask
from cggm_pipeline.evaluation.predictors.plain import PLAIN


class NormStatistics(Adapting):
    """Running statistics mixed with those of the batch: mu = N/(N+n) mu_s + n/(N+n) mu_t, the variance likewise.

    N: `prior`, n: samples in the batch, s: training, t: the batch (Schneider et al., section 3; N = 0 is Nado et al.'s
    prediction-time batch normalisation). Nothing is learnt, and no batch influences another.
    """

    def __init__(self, *, prior: float = 16.0, batch_size: int = 64) -> None:
        self.prior = prior
        self.batch_size = batch_size

    def open(self, network: nn.Module) -> Ask:
        copy = adaptable(network)
        mix_batch_statistics_(copy, self.prior)
        return PLAIN.open(copy)

    def check(self, network: nn.Module) -> None:
        check_batch_norms(network, "norm_statistics")
