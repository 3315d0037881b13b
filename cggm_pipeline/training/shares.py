"""One optimiser step's batch, cut into micro-batches and into the processes' shares."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.data.input import Input


def cut(
    batch: Batch, *, pieces: int, least: int = 1, processes: int = 1, process: int = 0
) -> list[tuple[Batch, float]]:
    """This process's micro-batches and their weights in the loss, so that weighted means add up to the batch's mean.

    Pieces are as equal as can be, and fewer where one would have less than `least` samples. A distributed wrapper
    averages over processes, hence weight = own samples * processes / samples of the batch. A process for which no
    sample is left takes part with one sample of weight 0, because every process must call the same collectives.
    """
    total = len(batch.index)
    if pieces == processes == 1:
        return [(batch, 1.0)]
    shares = []
    for start, stop in _bounds(0, total, max(1, min(pieces, total // least))):
        first, last = _bounds(start, stop, processes)[process]
        own = slice(first, last) if last > first else slice(start, start + 1)
        shares.append((_rows(batch, own), (last - first) * processes / total))
    return shares


def _bounds(start: int, stop: int, pieces: int) -> list[tuple[int, int]]:
    edges = [start + (stop - start) * k // pieces for k in range(pieces + 1)]
    return list(pairwise(edges))


def _rows(batch: Batch, rows: slice) -> Batch:
    inputs = {name: _input(value, rows) for name, value in batch.inputs.items()}
    return replace(batch, inputs=inputs, target=batch.target[rows], index=batch.index[rows])


def _input(value: Input, rows: slice) -> Input:
    def part(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[rows]

    return Input(value.values[rows], part(value.mask), part(value.present))
