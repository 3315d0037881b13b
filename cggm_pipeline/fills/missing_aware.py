"""Missing-aware prompts (Lee et al., CVPR 2023): one prompt for every case of what is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills._tokens import Tokens, no_pyramids
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName

MOST = 8


class MissingAware(Fill):
    """A prompt of `length` tokens per modality for each of the 2^M - 1 cases of what a sample has, chosen per sample.

    It stands in front of the modality's tokens; to a vector its mean is added. What is absent becomes zeros. Lee et al.
    put such prompts into a pretrained Transformer; here they stand before the fusion, their "input-level" prompts. A
    sample without any modality gets zeros for a prompt. At most 8 modalities: the cases double with each.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens"})
    prompts: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], *, length: int = 16) -> None:
        super().__init__()
        no_pyramids(widths, "missing_aware")
        if len(widths) > MOST:
            raise BuildError(
                f"missing_aware has a prompt for each of 2^M - 1 cases and takes at most {MOST} modalities, but there "
                f"are {len(widths)}; select some with use:, or take fill: {{kind: generated}}, which grows linearly"
            )
        cases = 2 ** len(widths)
        self.prompted: ByName[Cases] = ByName({name: Cases(cases, length, widths[name]) for name in sorted(widths)})

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        given = {name: Tokens.of(value, present.get(name), varies=False) for name, value in sorted(features.items())}
        places = enumerate(given.values())
        case = torch.stack([~tokens.absent * 2**place for place, tokens in places]).sum(0)
        return {name: tokens.attached(self.prompted[name](case)).features() for name, tokens in given.items()}


class Cases(nn.Module):
    """One modality's prompts (2^M - 1, length, width), by which modalities a sample has."""

    def __init__(self, cases: int, length: int, width: int) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.randn(cases - 1, length, width) * 0.02)

    def forward(self, case: Tensor) -> Tensor:
        """(B, length, width) for cases (B,): 1 .. 2^M - 1, and zeros for 0."""
        table = F.pad(self.prompts.flatten(1), (0, 0, 1, 0))
        return F.embedding(case, table).view(len(case), *self.prompts.shape[1:])
