"""The matrices over time of MPLMM's generator: one per target, or one for each set of modalities that can be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain, combinations
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from cggm_pipeline.layers.named import ByName

Blocks = Literal["target", "subset"]


class Mixing(Protocol):
    """V of equations 1 and 2: (B, grid, D) from the prompt, (B, length, D), and the pieces (B, grids[j], D) in order.

    `there`: (B,) bool for each piece; where it is False the piece is zero.
    """

    def __call__(self, prompt: Tensor, pieces: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> Tensor: ...


class OneBlock(nn.Conv1d):
    """ONE V for every set: the columns that read an absent modality meet zeros. Linear in the number of modalities."""

    def __init__(self, length: int, grids: Mapping[str, int], grid: int) -> None:
        super().__init__(length + sum(grids.values()), grid, 1)

    def forward(self, prompt: Tensor, pieces: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> Tensor:  # type: ignore[override]
        return super().forward(torch.cat([prompt, *pieces.values()], dim=1))


class BlockPerSubset(nn.Module):
    """A V of its own for every non-empty set of the others, as equations 1 and 2 and the released code have them.

    2^(M - 1) - 1 blocks, each computed for the whole batch. Zeros where nothing is there, for which there is no block.
    """

    def __init__(self, length: int, grids: Mapping[str, int], grid: int) -> None:
        super().__init__()
        self.sets = {"+".join(names): names for names in _subsets(sorted(grids))}
        self.blocks: ByName[nn.Conv1d] = ByName(
            {key: nn.Conv1d(length + sum(grids[n] for n in names), grid, 1) for key, names in self.sets.items()}
        )
        self.grid = grid

    def forward(self, prompt: Tensor, pieces: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> Tensor:
        made = prompt.new_zeros(prompt.shape[0], self.grid, prompt.shape[2])
        for key, names in self.sets.items():
            exactly = torch.stack([had if name in names else ~had for name, had in there.items()]).all(0)
            mixed = self.blocks[key](torch.cat([prompt, *(pieces[name] for name in names)], dim=1))
            made = torch.where(exactly[:, None, None], mixed, made)
        return made


def _subsets(names: list[str]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(names, number) for number in range(1, len(names) + 1)))


BLOCKS: Mapping[Blocks, Callable[[int, Mapping[str, int], int], Mixing]] = {
    "target": OneBlock,
    "subset": BlockPerSubset,
}
