"""What each modality says alone: logits from the head's blocks, or from the network with the others at zero."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cggm_pipeline.modulations._head import Head, blocks, channels_last, partial_logits, size
from cggm_pipeline.modulations.base import Step

_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}


def unimodal_logits(head: Head, names: Sequence[str], step: Step) -> list[Tensor]:
    """u_m per name, shaped like the logits and in their graph (no_grad is the caller's).

    u_m = W_m z_m + b/M where the head reads a concatenation (`step.blocks`, or feature tensors whose widths add up to
    the head's input, in the order of `step.features`): their sum is the logits. Otherwise `step.rerun` with the other
    modalities at zero. ValueError where neither is there.
    """
    widths = _widths(head, names, step)
    if widths is not None:
        places = blocks(step, widths, size(head)[1])
        return [partial_logits(head, step.fused, places[name], 1 / len(names)) for name in names]
    if step.rerun is None:
        raise ValueError(
            "this method needs each modality's own logits: give Step(blocks=...) where the head reads a concatenation "
            "of the features, or Step(rerun=...), logits with the named modalities' features set to zero"
        )
    return [step.rerun([other for other in names if other != name]) for name in names]


def concatenated(head: Head, names: Sequence[str], step: Step) -> bool:
    """Whether the head reads a concatenation of the features, so that the logits are the sum of all u_m."""
    return _widths(head, names, step) is not None


def _widths(head: Head, names: Sequence[str], step: Step) -> dict[str, int] | None:
    """Each modality's width in a concatenation; None where the head does not read one."""
    if step.blocks is not None:
        return {name: step.blocks[name].stop - step.blocks[name].start for name in names}
    if not all(isinstance(step.features[name], Tensor) for name in names):
        return None
    widths = {name: channels_last(head, step.features[name]).shape[-1] for name in names}
    return widths if sum(widths.values()) == size(head)[1] else None


def true_class_mass(logits: Tensor, target: Tensor) -> Tensor:
    """sum_i softmax(logits)[i, y_i]: logits (B, C, ...), target (B, ...) of class indices."""
    return true_class_probabilities(logits, target).double().sum()


def true_class_probabilities(logits: Tensor, target: Tensor) -> Tensor:
    """softmax(logits)[i, y_i] in at least float32, shaped like the target: logits (B, C, ...), target (B, ...).

    Logits of a coarser map are interpolated to the target's size (bilinear, as the segmentation task reads them).
    """
    return at_the_targets_size(logits, target).softmax(1).gather(1, target.long().unsqueeze(1)).squeeze(1)


def at_the_targets_size(logits: Tensor, target: Tensor) -> Tensor:
    """Logits in at least float32, those of a coarser map interpolated to the target's size."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    if logits.shape[2:] == target.shape[1:]:
        return logits
    return functional.interpolate(logits, size=target.shape[1:], mode=_MODES[logits.dim()], align_corners=False)
