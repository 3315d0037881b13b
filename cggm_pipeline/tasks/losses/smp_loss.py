"""The losses of segmentation-models-pytorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor, nn

from cggm_pipeline.tasks.losses.lovasz import Lovasz


class SMPLoss(nn.Module):
    """A loss of smp over logits (B, C, H, W) and class indices (B, H, W), all classes, background included.

    `loss`: which one. `dice`, `jaccard` and `tversky` leave out classes that the batch has no pixel of. `focal` is one
    class against the rest, unlike the loss kind `focal`. `gamma` null: smp's own. All but `focal` count over the whole
    batch and are no means over samples.
    """

    def __init__(
        self,
        *,
        loss: Literal["dice", "jaccard", "tversky", "lovasz", "focal"],
        alpha: float = 0.5,
        beta: float = 0.5,
        gamma: float | None = None,
    ) -> None:
        from segmentation_models_pytorch import losses  # slow to import, and few need it

        super().__init__()
        focus = {} if gamma is None else {"gamma": gamma}
        made: Mapping[str, Callable[[], nn.Module]] = {
            "dice": lambda: losses.DiceLoss("multiclass"),
            "jaccard": lambda: losses.JaccardLoss("multiclass"),
            "tversky": lambda: losses.TverskyLoss("multiclass", alpha=alpha, beta=beta, **focus),
            "lovasz": Lovasz,
            "focal": lambda: losses.FocalLoss("multiclass", **focus),
        }
        self.loss = made[loss]()

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.loss(logits, target)
        return value
