"""The network: encode, fill, fuse, predict. Its modules are handed in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Input, Output
from cggm_pipeline.layers.named import ByName

Edit = Callable[[Mapping[str, Features]], Mapping[str, Features]]


class Interplay(nn.Module):
    """What the modalities do with one another before the fusion: nothing, until an adapter stands in this place."""

    def encode(self, encoders: ByName[Encoder], inputs: Mapping[str, Input]) -> dict[str, Features]:
        """Inputs to features, each encoder for itself."""
        return {name: encoder(inputs[name]) for name, encoder in encoders.items()}

    def forward(self, features: Mapping[str, Features]) -> Mapping[str, Features]:
        """Features without holes to those that the fusion reads."""
        return features

    def own(self, name: str) -> list[nn.Module]:
        """The modules in here that belong to one modality alone."""
        return []


class Network(nn.Module):
    """One encoder per modality, a fill for absent samples, a fusion, and a linear head that reads z.

    `encoders` maps modality names to encoders; they are kept and called sorted by name, so the order of the mapping
    never matters. `head` is the last linear layer (or 1x1 convolution), logits = head(z). `adapter` is where an adapter
    of features or of encoders stands. `still`: names of modules that stay in evaluation mode, as frozen batch
    normalisation must, whose running statistics would move.
    """

    still: tuple[str, ...] = ()

    def __init__(self, encoders: Mapping[str, Encoder], fill: Fill, fusion: Fusion, head: nn.Module) -> None:
        super().__init__()
        self.encoders: ByName[Encoder] = ByName(encoders)
        self.fill = fill
        self.fusion = fusion
        self.head = head
        self.adapter = Interplay()

    def train(self, mode: bool = True) -> Network:
        super().train(mode)
        modules = dict(self.named_modules()) if self.still else {}
        for name in self.still:
            modules[name].eval()
        return self

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of the modalities, sorted."""
        return tuple(self.encoders)

    def forward(self, inputs: Mapping[str, Input], edit: Edit | None = None) -> Output:
        """Inputs of every modality to logits. `edit` changes the features before fusion (`Modulation.mask`).

        Inputs of other modalities than the network's are ignored; one that is missing is a KeyError.
        """
        encoded = self.adapter.encode(self.encoders, inputs)
        filled = self.fill(encoded, {name: inputs[name].present for name in encoded})
        features: Mapping[str, Features] = self.adapter(filled)
        if edit is not None:
            features = edit(features)
        fused, logits = self._fuse(features)

        def rerun(names: Collection[str]) -> Tensor:
            zeroed = {name: value.map(torch.zeros_like) if name in names else value for name, value in features.items()}
            return self._aside(zeroed)

        return Output(features, fused, logits, self.fusion.blocks, rerun)

    def _fuse(self, features: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
        fused = self.fusion(features).tensor
        return fused, self.head(fused)

    def _aside(self, features: Mapping[str, Features]) -> Tensor:
        """Logits that leave no trace: running statistics are updated in copies of them, which are thrown away."""
        copies = {name: buffer.clone() for name, buffer in self.fusion.named_buffers()}
        fused: Tensor = functional_call(self.fusion, copies, (features,)).tensor
        logits: Tensor = self.head(fused)
        return logits

    @torch.no_grad()
    def predict(self, inputs: Mapping[str, Input]) -> Tensor:
        """Logits without a graph, in the mode (train or eval) that the network is in."""
        output: Output = self(inputs)
        return output.logits

    def owned(self) -> dict[str, nn.Module]:
        """What belongs to each modality alone, by module object: its encoder, and its own part of the adapter."""
        return {name: nn.ModuleList([encoder, *self.adapter.own(name)]) for name, encoder in self.encoders.items()}

    def parameter_counts(self) -> dict[str, int]:
        """Numbers of parameters, by module: `encoders.<modality>`, `fill`, `adapter`, `fusion`, `head`.

        What an adapter puts into encoders and fusion counts there.
        """
        modules: dict[str, nn.Module] = {f"encoders.{name}": encoder for name, encoder in self.encoders.items()}
        modules |= {"fill": self.fill, "adapter": self.adapter, "fusion": self.fusion, "head": self.head}
        return {name: sum(parameter.numel() for parameter in module.parameters()) for name, module in modules.items()}
