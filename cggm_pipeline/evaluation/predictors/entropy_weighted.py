"""Unimodal logits weighted by their certainty, per sample (MLA, Zhang et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.predictors.base import Predictor
from cggm_pipeline.layers.features import Input, Output
from cggm_pipeline.network import Network


class EntropyWeighted(Predictor):
    """logits = sum_m w_m u_m, w_m = exp(max_j H_j - H_m) / sum_k exp(max_j H_j - H_k), H_m: entropy of softmax(u_m).

    The weights are a sample's own (a pixel's own, where z is a map), so that a prediction does not depend on the batch
    it is in; the released code sums the entropies over the batch. u_m = head(fusion of modality m alone) where the
    fusion takes any subset of the modalities (`mean`), else the logits with the other modalities' features at zero. A
    modality that a sample lacks has no weight; where it lacks all, all weigh the same.
    """

    def __call__(self, network: nn.Module, inputs: Mapping[str, Input]) -> Tensor:
        if not isinstance(network, Network):
            raise BuildError(f"entropy_weighted predicts with a Network, found {type(network).__name__}")
        output: Output = network(inputs)
        unimodal = torch.stack([alone(network, output, name) for name in network.modalities])
        certainty = -entropy(unimodal)
        for place, name in enumerate(network.modalities):
            present = inputs[name].present
            if present is not None:
                absent = ~present.view(-1, *[1] * (certainty.dim() - 2))
                certainty[place].masked_fill_(absent, torch.finfo(certainty.dtype).min)
        return (certainty.softmax(0).unsqueeze(2) * unimodal).sum(0)


def alone(network: Network, output: Output, name: str) -> Tensor:
    """u_m: the logits of one modality by itself."""
    if network.fusion.subsets:
        logits: Tensor = network.head(network.fusion({name: output.features[name]}).tensor)
        return logits
    assert output.rerun is not None  # every network gives it
    return output.rerun([other for other in network.modalities if other != name])


def entropy(logits: Tensor) -> Tensor:
    """H(softmax) in nats over the classes: (M, B, C, ...) to (M, B, ...)."""
    logs = logits.float().log_softmax(2)
    return -(logs.exp() * logs).sum(2)
