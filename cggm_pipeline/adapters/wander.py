"""Wander: low-rank sequence fusion of all modalities (Guo et al., AAAI 2025)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from torch import nn

from cggm_pipeline.adapters._in_step import InStep
from cggm_pipeline.adapters._learning import TRAINED, check_awake, only
from cggm_pipeline.adapters._low_rank import Meeting, ProductOfSums, SumOfProducts
from cggm_pipeline.adapters._places import behind_the_fill, check_layouts, check_trunks
from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.widths import one_width
from cggm_pipeline.network import Interplay, Network

FORMS: Mapping[str, Callable[..., Meeting]] = {"paper": SumOfProducts, "released": ProductOfSums}


class Wander(Adapter):
    """Tokens of all modalities, projected to `rank`, meet in a product of low-rank factors, which goes back to them.

    `form`: `SumOfProducts` or `ProductOfSums`. `where` "last": once, on the features of all modalities after the fill,
    vectors as one token; "every": behind each block of the encoders, the last blocks side by side. `tokens`: the number
    of tokens that sequences are resampled to, by areas; None: their own, which must be fixed.
    """

    def __init__(
        self,
        *,
        form: Literal["paper", "released"] = "paper",
        rank: int = 16,
        drank: int = 8,
        trank: int = 12,
        where: Literal["last", "every"] = "last",
        tokens: int | None = None,
        train: Sequence[str] = TRAINED,
    ) -> None:
        self.fusion = partial(FORMS[form], rank=rank, drank=drank, trank=trank, resample=tokens is not None)
        self.where = {"last": self._last, "every": self._every}[where]
        self.tokens = tokens
        self.train = tuple(train)

    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        return only(network, self.train, lambda: self.where(network, lengths))

    def _last(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        check_layouts(network)
        width = _width(network)
        tokens = {
            name: 1 if encoder.layout == "vector" else self._number(name, lengths)
            for name, encoder in network.encoders.items()
        }
        network.adapter = Fused(self._made(width, tokens if self.tokens else behind_the_fill(network, tokens)))
        return 1

    def _every(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        check_trunks(network)
        check_awake(network, network.encoders.parameters())
        tokens = {
            name: self._number(name, lengths if encoder.layout == "tokens" else {})
            for name, encoder in network.encoders.items()
        }
        width = _width(network)
        depths = {name: len(encoder.trunk) for name, encoder in network.encoders.items()}
        network.adapter = InStep(depths, lambda names: self._made(width, {name: tokens[name] for name in names}))
        return max(depths.values())

    def _number(self, name: str, lengths: Mapping[str, int | None]) -> int:
        number = self.tokens or lengths.get(name)
        if number is None:
            raise BuildError(
                f"tokens: the number of tokens of '{name}' varies or is not known; set it, for instance 16"
            )
        return number

    def _made(self, width: int, tokens: Mapping[str, int]) -> Meeting:
        return self.fusion(width, tokens)


class Fused(Interplay):
    """The features of all modalities, changed by one low-rank fusion."""

    def __init__(self, fusion: Meeting) -> None:
        super().__init__()
        self.fusion: Meeting = fusion

    def forward(self, features: Mapping[str, Features]) -> Mapping[str, Features]:
        sequences = {name: _sequence(value) for name, value in features.items()}
        fused = self.fusion(sequences, {})
        return {
            name: Features(fused[name].tensor.reshape(value.tensor.shape), value.mask)
            for name, value in features.items()
        }

    def own(self, name: str) -> list[nn.Module]:
        return [self.fusion.parts[name]]


def _width(network: Network) -> int:
    return one_width({name: encoder.widths[0] for name, encoder in network.encoders.items()}, "wander")


def _sequence(features: Features) -> Features:
    """A vector as one token."""
    return Features(features.tensor.unsqueeze(1)) if features.tensor.dim() == 2 else features
