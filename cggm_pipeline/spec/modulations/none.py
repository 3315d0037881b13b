"""Joint training and nothing else."""

from __future__ import annotations

from typing import ClassVar, Literal

from cggm_pipeline.spec.modulations.base import ModulationSpec


class NoModulation(ModulationSpec):
    """Joint training and nothing else."""

    cost: ClassVar[str] = "nothing"
    min_modalities: ClassVar[int] = 1

    family: ClassVar[str] = "baseline"

    kind: Literal["none"] = "none"
