"""What both stages of CASP on a whole split share: the network's mode, and an epoch's mean loss on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from cggm_pipeline.errors import TrainingError
from cggm_pipeline.evaluation.predictors.plain import evaluating
from cggm_pipeline.layers.norms import batch_norms
from cggm_pipeline.network import Network

Row = dict[str, float]
Tell = Callable[[Row], None]
"""Told of each epoch: its row of the history."""


class DivergedError(TrainingError):
    """The loss of an adaptation became NaN or infinite. `history`: the epochs until then; `stage`: of which stage."""

    def __init__(self, stage: str, epoch: int, history: Sequence[Row]) -> None:
        self.stage, self.epoch, self.history = stage, epoch, list(history)
        super().__init__(
            f"the loss of stage {stage} is not finite in epoch {epoch} (counted from 0). "
            "A lower adaptation.lr or adaptation.clip usually mends it"
        )


def silent(row: Row) -> None:
    """Tells nobody."""


@contextmanager
def adapting(network: Network) -> Iterator[None]:
    """Training mode inside, with dropout, but batch normalisation keeps its statistics and a fill draws nothing."""
    with evaluating(network), torch.enable_grad():
        network.train()
        network.fill.eval()
        for module in batch_norms(network):
            module.eval()
        yield


def mean_of(losses: Sequence[Tensor], stage: str, history: Sequence[Row]) -> float:
    """An epoch's mean loss, on the host. Raises DivergedError where it is not finite."""
    mean = torch.stack(list(losses)).mean()
    if not mean.isfinite():
        raise DivergedError(stage, len(history), history)
    return mean.item()
