"""The claims document: specs/claims/NAME.yaml. The numbers of one table of one paper, as it printed them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Slug, Spec

UNKNOWN: Literal["unknown"] = "unknown"


INCOMPLETE: Literal["incomplete"] = "incomplete"


class Column(Spec):
    """One column of a paper's table: the metric it holds, in which unit, and whether more of it is better.

    `metric` is the name of this project's own metric (accuracy, f1_weighted, mae); `unit` "percent" is 100 times it.
    `modalities`: with which alone it was measured, the others missing; "incomplete": the mean over all proper non-empty
    subsets of the modalities; null: on the complete test split.
    """

    metric: Slug = Field(description="this project's name of the metric")
    modalities: (
        Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100, strict=False)] | Literal["incomplete"] | None
    ) = Field(None, description="those that are there; incomplete: the mean over all proper subsets; null: all are")
    unit: Literal["percent", "fraction", "one"] = Field(description="percent: 100 times this project's value")
    direction: Literal["higher", "lower"] = Field(description="which is better")

    @property
    def scale(self) -> float:
        """What this project's value is multiplied by, to compare it with the printed one."""
        return 100.0 if self.unit == "percent" else 1.0


class Claims(Spec):
    """A paper's table. A cell is a number as printed, or `unknown` where the paper gives none: it is never guessed.

    `source` says where the numbers were read, `status` how well that was checked. `rows`: label in the paper to
    column to value.
    """

    version: Literal[1]
    kind: Literal["claims"]
    paper: Annotated[str, Field(min_length=1)] = Field(description="authors, title, place, year")
    table: Annotated[str, Field(min_length=1)] = Field(description="its number in the paper")
    dataset: Annotated[str, Field(min_length=1)] = Field(description="the data, as the paper calls them")
    source: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = Field(
        description="where the numbers were read"
    )
    status: Annotated[str, Field(min_length=1)] = Field(description="how well the reading was checked")
    note: str = Field("", description="free text; changes no result")
    columns: Annotated[dict[Annotated[str, Field(min_length=1)], Column], Field(min_length=1)] = Field(
        description="label of the paper's column: what it holds"
    )
    rows: Annotated[dict[str, dict[str, float | Literal["unknown"]]], Field(min_length=1)] = Field(
        description="label of the paper's row: column: number, or unknown"
    )

    def value(self, row: str, metric: str) -> tuple[Column, float] | None:
        """The printed number of a row for one of this project's metrics on the complete test split.

        Null where it is unknown or has no column.
        """
        for label, column in self.columns.items():
            number = self.rows.get(row, {}).get(label, UNKNOWN)
            if column.modalities is None and column.metric == metric and not isinstance(number, str):
                return column, number
        return None


def claims_path(specs: Path, name: str) -> Path:
    """Where the claims document `name` lies below the folder `specs`."""
    return specs / "claims" / f"{name}.yaml"
