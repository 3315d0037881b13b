"""The Multimodal Transformer (Tsai et al., ACL 2019): every modality reads every other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from cggm_pipeline.fusions.base import Fusion
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.layers.residual import Residual
from cggm_pipeline.layers.transformer import Transformer
from cggm_pipeline.layers.widths import one_width


class MulT(Fusion):
    """For each modality m one cross-modal Transformer m <- j per other modality j, whose queries are m's tokens and
    whose keys and values are j's; their results side by side on channels; a memory Transformer over them, (M - 1) d
    wide; its last token that is no padding. h = all of these side by side, sorted by name; z = h + W2 drop(relu(W1 h)).

    All modalities must have one width d; z is M (M - 1) d wide. One modality alone has its memory Transformer only,
    d wide. Tsai et al. 2019, section 3. As in the authors' code, residual connections skip the layer norm (in the paper
    they come behind it) and a block's one layer norm serves both sequences. Unlike there, positions begin at 0, not 1,
    and padding is what a mask says, not a token whose first channel is 0.

    `causal`: a token sees nothing later than itself (by more than the sequences differ in length), neither in another
    modality nor in its own. The authors' code does this by default.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"tokens"})

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        heads: int = 5,
        layers: int = 5,
        memory_layers: int = 5,
        attention_dropout: float = 0.1,
        relu_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        width, others = one_width(widths, "mult"), max(len(widths) - 1, 1)
        same: dict[str, Any] = {
            "attention_dropout": attention_dropout,
            "relu_dropout": relu_dropout,
            "residual_dropout": residual_dropout,
            "embedding_dropout": embedding_dropout,
            "causal": causal,
        }
        self.cross: ByName[ByName[Transformer]] = ByName(
            {
                name: ByName(
                    {j: Transformer(width, heads, layers, cross=True, **same) for j in sorted(widths) if j != name}
                )
                for name in sorted(widths)
            }
        )
        self.memory: ByName[Transformer] = ByName(
            {name: Transformer(others * width, heads, memory_layers, **same) for name in sorted(widths)}
        )
        self.width = len(widths) * others * width
        self.residual = Residual(self.width, output_dropout)

    def forward(self, features: Mapping[str, Features]) -> Features:
        h = torch.cat([self._remembered(name, features) for name in sorted(features)], dim=1)
        return Features(self.residual(h))

    def _remembered(self, name: str, features: Mapping[str, Features]) -> Tensor:
        """(B, (M - 1) d): what a modality has read in the others, at its last token."""
        own = features[name]
        read = [
            reader(own.tensor, features[other].mask, features[other].tensor)
            for other, reader in self.cross[name].items()
        ]
        return last(self.memory[name](torch.cat(read or [own.tensor], dim=2), own.mask), own.mask)


def last(values: Tensor, mask: Tensor | None) -> Tensor:
    """The last token (B, width) of (B, T, width) that is no padding; the first one where all are."""
    if mask is None:
        return values[:, -1]
    places = torch.arange(mask.shape[1], device=mask.device) * ~mask
    return values.take_along_dim(places.amax(1)[:, None, None], dim=1).squeeze(1)
