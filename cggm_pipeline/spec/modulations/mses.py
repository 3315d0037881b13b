"""Modality-specific early stopping."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Positive
from cggm_pipeline.spec.modulations.base import ModulationSpec


class MSES(ModulationSpec):
    """Modality-specific early stopping: an encoder whose own classifier has begun to overfit goes back, and rests.

    Each modality gets a small classifier that is trained beside the network. Once its validation loss has not improved
    for `patience` epochs, the modality's encoder is put back to its best epoch and learns no more; the others go on.
    """

    source: ClassVar[str] = (
        "Fujimori et al., ACPR 2019 (its abstract; the full text was not available), and AGM's released code"
    )
    equation: ClassVar[str] = (
        "L <- L + weight sum_m L(c_m(h_m), y)\n"
        "l_m(t) = smoothing v_m(t-1) + (1 - smoothing) v_m(t),  v_m: validation loss of c_m,  e_m = argmin_t l_m(t)\n"
        "t - e_m > patience:  theta_m <- theta_m(e_m), and its rate is 0 from then on"
    )
    cost: ClassVar[str] = (
        "one classifier per modality, forward and backward, dropped at inference; one pass over the validation split "
        "per epoch; a copy of every encoder"
    )
    known: ClassVar[str] = (
        "released code rolls back the whole network, its optimiser too, and looks at the test split: "
        "docs/paper-vs-code.md#mses"
    )
    trains_classifiers: ClassVar[bool] = True

    family: ClassVar[str] = "rate"
    hooks: ClassVar[tuple[str, ...]] = ("penalty", "modulate_", "rates", "end_epoch")
    forwards: ClassVar[str] = "M classifiers"
    backwards: ClassVar[str] = "M classifiers"
    parameters: ClassVar[str] = "M classifiers"

    kind: Literal["mses"]
    patience: Count = Field(10, description="epochs without a better validation loss, after which an encoder rests")
    smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.6, description="weight of the validation loss before the last one; 0 takes the last one alone"
    )
    weight: Positive = Field(1.0, description="of the modalities' losses beside the task's")
