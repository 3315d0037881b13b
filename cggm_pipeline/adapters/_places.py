"""Whether a network has what an adapter of features or of trunks stands on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features
from cggm_pipeline.network import Network


def check_layouts(network: Network) -> None:
    """BuildError where a modality's features are maps: adapters of features read vectors and tokens."""
    for name, encoder in network.encoders.items():
        if encoder.layout == "pyramid":
            raise BuildError(
                f"the features of '{name}' are a pyramid of maps, and the adapter reads vectors and tokens; use "
                "bitfit, or lora with target: [encoders.*]"
            )


def check_trunks(network: Network) -> None:
    """BuildError where an encoder is no row of blocks."""
    for name, encoder in network.encoders.items():
        if not encoder.trunk:
            raise BuildError(
                f"where: every stands behind the blocks of the encoders, and the encoder of '{name}' "
                f"({type(encoder).__name__}) is no row of blocks; use where: last, or a Transformer"
            )


@torch.no_grad()
def behind_the_fill(network: Network, tokens: Mapping[str, int]) -> dict[str, int]:
    """The number of tokens that each modality has behind the fill, which may attach some (prompts); 1 for vectors."""
    like, training = next(network.parameters()), network.fill.training
    features = {}
    for name, encoder in network.encoders.items():
        size = (tokens[name],) if encoder.layout == "tokens" else ()
        features[name] = Features(torch.zeros(1, *size, encoder.widths[0], device=like.device, dtype=like.dtype))
    network.fill.eval()
    filled = network.fill(features, dict.fromkeys(features))
    network.fill.train(training)
    return {name: value.tensor.shape[1] if value.tensor.dim() == 3 else 1 for name, value in filled.items()}
