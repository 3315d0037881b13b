"""What methods measure on the validation split between two epochs: means over its samples, alike in every process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import _distributed
from cggm_pipeline.modulations._preset import precise
from cggm_pipeline.modulations.base import Probe, Step


@torch.no_grad()
def validated(probe: Probe, method: nn.Module, measured: Callable[[Step], Sequence[Tensor]]) -> Tensor:
    """The mean over "valid" of each scalar that `measured` gives for a batch, with `method` in eval mode; (K,).

    A batch's scalars count as often as it has samples: exact for means over samples. A score that is none (exp(-loss))
    is the mean of the batches' scores. ValueError where the split is empty.
    """
    training, total, count = method.training, None, 0
    method.eval()
    for step in probe.steps("valid"):
        values = torch.stack([value.to(precise(value.device)) for value in measured(step)]) * step.count
        total = values if total is None else total + values
        count += step.count
    method.train(training)
    if total is None or not count:
        raise ValueError('the probe\'s split "valid" has no sample; this method needs one to compare the modalities')
    return _distributed.first_(total / count)
