"""Bottleneck adapters (Houlsby et al., ICML 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from cggm_pipeline.adapters._learning import TRAINED, check_awake, only
from cggm_pipeline.adapters._places import check_layouts
from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.activations import ACTIVATIONS, Activation
from cggm_pipeline.layers.features import Features
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.layers.transformer import Block
from cggm_pipeline.network import Interplay, Network

BESIDE = "bottlenecks"
"""The name under which an encoder or a fusion keeps what stands behind its blocks."""


class Bottleneck(Adapter):
    """x <- x + U act(D x + c) + b, D to `width`; U and b are zero at first (section 2.1).

    `where` "every": one behind each block of the encoders that have a trunk and of the fusion's Transformer, as in
    Pfeiffer et al. (EACL 2021); Houlsby et al. have a second one inside each block, behind its attention. "last": one
    behind each modality's features, vectors or tokens, after the fill.
    """

    def __init__(
        self,
        *,
        width: int = 16,
        activation: Activation = "gelu",
        where: Literal["every", "last"] = "every",
        train: Sequence[str] = TRAINED,
    ) -> None:
        self.width, self.activation = width, activation
        self.where = {"every": self._every, "last": self._last}[where]
        self.train = tuple(train)

    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        return only(network, self.train, lambda: self.where(network))

    def _every(self, network: Network) -> int:
        places = 0
        for _, encoder in network.encoders.items():
            if encoder.trunk:
                check_awake(network, encoder.parameters())
                places += self._behind(encoder, encoder.trunk, [encoder.widths[0]] * len(encoder.trunk))
        blocks = [module for module in network.fusion.modules() if isinstance(module, Block)]
        if blocks:
            places += self._behind(network.fusion, blocks, [block.narrow.out_features for block in blocks])
        if not places:
            raise BuildError(
                "where: every stands behind Transformer blocks, and neither an encoder nor the fusion has any; use "
                "where: last"
            )
        return places

    def _behind(self, owner: nn.Module, blocks: Sequence[nn.Module], widths: Sequence[int]) -> int:
        added = [self._made(width) for width in widths]
        owner.add_module(BESIDE, nn.ModuleList(added))
        for block, adapter in zip(blocks, added, strict=True):
            block.register_forward_hook(adapter.behind)
        return len(added)

    def _last(self, network: Network) -> int:
        check_layouts(network)
        made = {name: self._made(encoder.widths[0]) for name, encoder in network.encoders.items()}
        network.adapter = Narrowed(made)
        return len(made)

    def _made(self, dim: int) -> Residual:
        return Residual(dim, self.width, self.activation)


class Residual(nn.Module):
    """x + up(act(down(x))) over the last axis, `up` zero at first."""

    def __init__(self, dim: int, width: int, activation: Activation) -> None:
        super().__init__()
        self.down = nn.Linear(dim, width)
        self.activation = ACTIVATIONS[activation]()
        self.up = nn.Linear(width, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.up(self.activation(self.down(x)))
        return out

    def behind(self, block: nn.Module, given: tuple[Any, ...], made: Tensor) -> Tensor:
        """As a forward hook: what the block gives, changed. A method, so that a copied network calls its own."""
        out: Tensor = self(made)
        return out


class Narrowed(Interplay):
    """Each modality's features through its own residual layer."""

    def __init__(self, made: Mapping[str, Residual]) -> None:
        super().__init__()
        self.parts: ByName[Residual] = ByName(made)

    def forward(self, features: Mapping[str, Features]) -> Mapping[str, Features]:
        return {name: value.map(self.parts[name]) for name, value in features.items()}

    def own(self, name: str) -> list[nn.Module]:
        return [self.parts[name]]
