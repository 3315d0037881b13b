"""BitFit (Ben Zaken et al., ACL 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cggm_pipeline.adapters._learning import TRAINED, check_awake, only
from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network


class BitFit(Adapter):
    """y = W x + b: every bias of the network learns, those of normalisation layers too, and what `train` names."""

    def __init__(self, *, train: Sequence[str] = TRAINED) -> None:
        self.train = tuple(train)

    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        return only(network, self.train, lambda: self._free(network))

    def _free(self, network: Network) -> int:
        biases = [parameter for name, parameter in network.named_parameters() if _is_bias(name)]
        if not biases:
            raise BuildError(
                "bitfit trains biases, and no layer of this network has one; use frozen, lora or bottleneck"
            )
        check_awake(network, biases)
        for bias in biases:
            bias.requires_grad_(True)
        return len(biases)


def _is_bias(name: str) -> bool:
    """`bias`, and what layers with several call theirs (`in_proj_bias`, `q_bias`)."""
    return name.rpartition(".")[2].endswith("bias")
