"""Some parameters of the network learn, and the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cggm_pipeline.adapters._learning import TRAINED, named, only
from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network


class Frozen(Adapter):
    """Only the parameters that `train` names learn.

    `train`: patterns over the network's parameter names, `*` is anything (`encoders.audio.*`, `*.bias`), or `norms`:
    the scales and shifts of every normalisation layer. The head alone is linear probing; the norms alone are what
    test-time adaptation moves (Wang et al., ICLR 2021).
    """

    def __init__(self, *, train: Sequence[str] = TRAINED) -> None:
        self.train = tuple(train)

    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        learning = len(named(network, self.train))
        if not learning:
            raise BuildError(
                f"train: {', '.join(self.train) or 'nothing'} matches no parameter, so nothing would learn"
            )
        return only(network, self.train, lambda: learning)
