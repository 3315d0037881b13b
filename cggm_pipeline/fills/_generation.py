"""The missing modality generation module of MPLMM: one modality's tokens from those of the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cggm_pipeline.fills._mixing import BLOCKS, Blocks, Mixing
from cggm_pipeline.fills._tokens import Tokens
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.layers.resampling import resampled


class Generation(nn.Module):
    """x_m from every other modality: gelu(V [P_G, f_1(x_1) .. f_M(x_M)]), f_j(x) = gelu(conv_j x); equations 1 and 2.

    [..] is side by side in time, so that V mixes time: `length` tokens of the prompt and `grids[j]` of every other
    modality become `grids[m]`. The piece of a modality that a sample lacks is zero, as are padded tokens. `blocks`:
    whether V is one for all sets of modalities that can be there, or one for each (`_mixing.py`).
    """

    def __init__(
        self,
        name: str,
        widths: Mapping[str, int],
        grids: Mapping[str, int],
        length: int,
        kernel: int,
        blocks: Blocks,
    ) -> None:
        super().__init__()
        others = [other for other in sorted(widths) if other != name]
        self.grids = {other: grids[other] for other in others}
        self.prompt = nn.Parameter(torch.zeros(length, widths[name]))
        self.pieces: ByName[nn.Conv1d] = ByName(
            {other: nn.Conv1d(widths[other], widths[name], kernel, padding=kernel // 2) for other in others}
        )
        self.mix: Mixing = BLOCKS[blocks](length, self.grids, grids[name])

    def forward(self, given: Mapping[str, Tokens], batch: int) -> Tensor:
        """(B, grids[m], D_m) from the tokens of the other modalities; `given` may hold m's own, which are not read."""
        pieces = {other: self._piece(other, given[other]) for other in self.grids}
        there = {other: ~given[other].absent for other in self.grids}
        return F.gelu(self.mix(self.prompt.expand(batch, -1, -1), pieces, there))

    def _piece(self, name: str, tokens: Tokens) -> Tensor:
        values = tokens.values.masked_fill(tokens.gone, 0)
        piece = F.gelu(self.pieces[name](values.transpose(1, 2)))[..., : values.shape[1]].transpose(1, 2)
        return resampled(piece.masked_fill(tokens.gone, 0), self.grids[name], tokens.cells)
