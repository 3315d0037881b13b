"""The table document: specs/tables/NAME.yaml. One base experiment, one row per method."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Seed, Slug, Spec


class Claimed(Spec):
    """Where a paper's number for this row stands: a claims file in specs/claims/, and the row in it."""

    table: Slug = Field(description="a file of specs/claims/ without .yaml")
    row: str = Field(description="a row of that file")


class Composite(Spec):
    """A row made of several trained rows, each with modalities of its own: one model per case of missing modalities.

    Where samples have the modalities S, it is the member that uses exactly S, trained and tested on these alone.
    """

    rows: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000, strict=False)] = Field(
        description="labels of the rows that it is made of, no two with the same modalities"
    )
    published: Claimed | None = Field(None, description="where a paper's numbers for it stand")


class Tuning(Spec):
    """What `cggm tune TABLE` may try: every row the same number of trials, with a seed that no row is judged by.

    Each row's `tune` maps dotted keys of its experiment to lists of values; it has `budget` combinations, no more and
    no fewer. The one with the best selection metric on the validation split is chosen and written to specs/tuned/.
    """

    budget: Annotated[int, Field(ge=1, le=1000)] = Field(description="combinations of values that each row tries")
    seed: Seed = Field(description="of every trial; not one of the table's")
    epochs: Count | None = Field(None, description="of every trial; null: the row's own")


class Table(Spec):
    """A paper's table. A row is a mapping of overrides on the base (experiment sections, `published`, and `tune`).

    `sweep` adds one row for each combination: dotted keys of the experiment to lists of values.
    `baseline` is the row that paired differences are taken to; `metric` (null: the task's own) heads the table.
    `composites` add lines to what the report says of missing modalities; nothing is trained for them.
    With `tuning`, every row says in `tune` which values it tries: {dotted key: [values]}.
    """

    version: Literal[1]
    kind: Literal["table"]
    title: str = Field("", description="heads the table")
    description: str = Field("", description="free text; changes no result")
    base: str = Field(description="the experiment that every row changes: a path from here or from specs/")
    rows: dict[str, dict[str, Any]] = Field(default_factory=dict, description="label: overrides of the base")
    sweep: dict[str, Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict, description="dotted key: values; one row for each combination"
    )
    composites: dict[str, Composite] = Field(
        default_factory=dict, description="label: rows of this table that are one model per case of missing modalities"
    )
    baseline: str | None = Field(None, description="label of the row that differences are taken to")
    metric: Slug | None = Field(None, description="the table's metric; null: the task's own")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000, strict=False)] | None = Field(
        None, description="of every row; null: the base's"
    )
    tuning: Tuning | None = Field(
        None, description="the budget of `cggm tune`, the same for every row; null: no tuning"
    )
