"""Weights: another run's weights as the start of a training (a backbone, a source model)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cggm_pipeline.spec.adapters import Pattern
from cggm_pipeline.spec.base import SLUG_PATTERN, Seed, Slug, Spec

_SLUG = SLUG_PATTERN.removeprefix("^").removesuffix("$")

RunName = Annotated[str, Field(pattern=f"^{_SLUG}(?:/{_SLUG})+$", max_length=300)]
"""TABLE/ROW: a run's folder below runs/."""


class Weights(Spec):
    """The start of a training: the weights that another run of this project ended with.

    Every parameter and buffer of encoders, fusion and head is taken from there, and must be there in the same shape,
    except those that `leave` names, which are drawn anew; a pattern that names none is an error. What only this network
    has (a fill, adapters) is drawn anew as well. The run is a dependency of the stage: it is trained first.
    """

    experiment: RunName = Field(description="TABLE/ROW below runs/; an experiment without a table is NAME/LAST-PART")
    seed: Seed | None = Field(None, description="which of its seeds; null: the same seed as the training's own")
    leave: Annotated[tuple[Pattern, ...], Field(max_length=100, strict=False)] = Field(
        (), description="parameters that are not taken: encoders.*.projection.*, head.*"
    )
    modalities: dict[Slug, Slug] = Field(
        default_factory=dict, description="modalities of this experiment that the run has under another name: its name"
    )
    statistics: bool = Field(
        False, description="normalise inputs with that run's training statistics, not with those of this data"
    )

    @property
    def folder(self) -> str:
        """What the run left, relative to the project's root."""
        return f"runs/{self.experiment}/train"
