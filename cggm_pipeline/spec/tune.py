"""What a row tries in `cggm tune`: dotted keys of its experiment to lists of values, every combination a trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.layers import Layer
from cggm_pipeline.spec.load import Document, Keys
from cggm_pipeline.spec.table import Tuning

FIXED = ("version", "kind", "data", "seeds", "extends", "description", "use", "task", "training.selection")
"""Keys that are not tuned: all trials of a row, and all rows, must be scored on the same data by the same metric."""

_GRID = TypeAdapter(dict[str, Annotated[list[Any], Field(min_length=1, max_length=1000)]])


@dataclass(frozen=True)
class Grid:
    """A row's `tune`: where it stands, and the values of each dotted key, in the order of the file."""

    document: Document
    keys: Keys
    values: Mapping[str, tuple[Any, ...]]

    @property
    def size(self) -> int:
        """The number of combinations."""
        return prod(len(values) for values in self.values.values())

    def trials(self) -> Iterator[tuple[dict[str, Any], list[Layer]]]:
        """Every combination, the last key's values changing fastest, with the layers that put it on the row."""
        for places in product(*(range(len(values)) for values in self.values.values())):
            chosen = list(zip(self.values, places, strict=True))
            layers = [Layer(self.document, (*self.keys, key, place), path_of(key)) for key, place in chosen]
            yield {key: self.values[key][place] for key, place in chosen}, layers

    def index(self, key: str, value: Any) -> int | None:
        """The place of a value among those of a key; null where it is none of them. 1, 1.0 and true are three."""
        same = (place for place, other in enumerate(self.values.get(key, ())) if repr(other) == repr(value))
        return next(same, None)


def path_of(dotted: str) -> tuple[str, ...]:
    """`modulation.rho` as keys."""
    return tuple(dotted.split("."))


def read_grid(document: Document, keys: Keys, found: Any, tuning: Tuning | None) -> tuple[Grid | None, list[Problem]]:
    """The `tune` of a row at `keys`, or null where there is none or it cannot be read, and what is wrong with it."""
    if tuning is None:
        if found is None:
            return None, []
        hint = "add tuning: {budget: 4, seed: 1000} to the table, or remove it"
        return None, [document.problem(keys, "the table has no tuning", on="key", hint=hint)]
    if found is None:
        message = f"no 'tune', but the table has a tuning budget of {tuning.budget} for every row"
        hint = f"add tune: {{training.optimizer.lr: [{tuning.budget} values]}}"
        return None, [document.problem(keys[:-1], message, on="key", hint=hint)]
    try:
        grid = Grid(document, keys, {key: tuple(values) for key, values in _GRID.validate_python(found).items()})
    except ValidationError:
        message = f"{document.written(keys)} is not a mapping of dotted keys to lists of values"
        return None, [document.problem(keys, message, hint="for example {modulation.rho: [1.0, 1.3]}")]
    return grid, list(_faults(grid, tuning))


def _faults(grid: Grid, tuning: Tuning) -> Iterator[Problem]:
    document = grid.document
    for key, values in grid.values.items():
        held = next(
            (fixed for fixed in _fixed(tuning) if f"{key}.".startswith(f"{fixed}.") or key in _above(fixed)), None
        )
        if held is not None:
            message, hint = f"'{held}' is not tuned", "all trials share it: put it into the base"
            yield document.problem((*grid.keys, key), message, on="key", hint=hint)
        for place, value in enumerate(values):
            if grid.index(key, value) != place:
                message, hint = f"the value {document.written((*grid.keys, key, place))} stands twice", "remove one"
                yield document.problem((*grid.keys, key, place), message, hint=hint)
        if nested := [other for other in grid.values if other.startswith(f"{key}.")]:
            message, hint = f"sets '{nested[0]}' as well, which has values of its own", "tune one of the two"
            yield document.problem((*grid.keys, key), message, on="key", hint=hint)
    if grid.size != tuning.budget:
        factors = " x ".join(str(len(values)) for values in grid.values.values()) or "none"
        message = f"{factors}{f' = {grid.size:,}' if len(grid.values) > 1 else ''} combinations"
        allowed = f"{tuning.budget}, the table's tuning.budget: every row has the same"
        yield document.problem(grid.keys, message, on="key", allowed=allowed)


def _fixed(tuning: Tuning) -> tuple[str, ...]:
    return FIXED if tuning.epochs is None else (*FIXED, "training.epochs")


def _above(dotted: str) -> list[str]:
    """`a.b.c` to `a`, `a.b`: keys whose values would set it as well."""
    path = path_of(dotted)
    return [".".join(path[:end]) for end in range(1, len(path))]
