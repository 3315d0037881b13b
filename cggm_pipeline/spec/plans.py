"""Where a table's rows come from: each written row, and each combination of the sweep, as layers on the base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from pydantic import ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.claims import claims_path
from cggm_pipeline.spec.faults import findings
from cggm_pipeline.spec.labels import short_names, value_label
from cggm_pipeline.spec.layers import Layer, Stack
from cggm_pipeline.spec.load import Document, Keys
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.table import Claimed, Table
from cggm_pipeline.spec.tune import Grid, read_grid

SHARED = ("version", "kind", "data", "seeds", "extends")
"""What all rows of a table have in common: paired differences need the same data and the same seeds."""

MAX_ROWS = 1000


@dataclass(frozen=True)
class Plan:
    """A row before its experiment is composed. `keys`: where it stands in the table's file."""

    label: str
    keys: Keys
    layers: tuple[Layer, ...]
    published: Claimed | None = None
    grid: Grid | None = None


class Planner:
    """Reads the rows of one table; `problems` are the faults of the rows as rows, not of their experiments."""

    def __init__(self, table: Table, document: Document, project: Project) -> None:
        self.table, self.document, self.project = table, document, project
        self.problems: list[Problem] = []

    def plans(self) -> list[Plan]:
        """All rows, written ones first."""
        swept = prod(len(values) for values in self.table.sweep.values()) if self.table.sweep else 0
        if swept + len(self.table.rows) > MAX_ROWS:
            key = "sweep" if swept else "rows"
            message = f"{swept + len(self.table.rows)} rows"
            self.problems.append(self.document.problem((key,), message, on="key", allowed=f"at most {MAX_ROWS}"))
            return []
        return [*self._written(), *(self._swept() if swept else ())]

    def _written(self) -> Iterator[Plan]:
        for label, overrides in self.table.rows.items():
            keys: Keys = ("rows", label)
            for key in SHARED:
                if key in overrides:
                    self._refuse_shared((*keys, key), key)
            published = self._published((*keys, "published")) if "published" in overrides else None
            layer = Layer(self.document, keys, dropped=frozenset({"published", "tune", *SHARED}))
            grid, problems = read_grid(self.document, (*keys, "tune"), overrides.get("tune"), self.table.tuning)
            self.problems += problems
            yield Plan(label, keys, (layer,), published, grid)

    def _swept(self) -> Iterator[Plan]:
        if self.table.tuning is not None:
            message, hint = "swept rows cannot be tuned", "write them as rows:, each with its tune:, or remove tuning:"
            self.problems.append(self.document.problem(("sweep",), message, on="key", hint=hint))
        names = short_names(list(self.table.sweep))
        paths = {dotted: tuple(dotted.split(".")) for dotted in names}
        for dotted, path in paths.items():
            if path[0] in SHARED:
                self._refuse_shared(("sweep", dotted), path[0])
        for combination in product(*(enumerate(values) for values in self.table.sweep.values())):
            chosen = list(zip(names.items(), combination, strict=True))
            label = " ".join(f"{name}={value_label(value)}" for (_, name), (_, value) in chosen)
            layers = (
                Layer(self.document, ("sweep", dotted, index), paths[dotted])
                for (dotted, _), (index, _) in chosen
                if paths[dotted][0] not in SHARED
            )
            yield Plan(label, ("sweep",), tuple(layers))

    def _refuse_shared(self, keys: Keys, key: str) -> None:
        message, hint = f"a row has no '{key}' of its own", "all rows share the base's and the table's"
        self.problems.append(self.document.problem(keys, message, on="key", hint=hint))

    def _published(self, keys: Keys) -> Claimed | None:
        stack = Stack([Layer(self.document, keys)])
        try:
            claimed = Claimed.model_validate(stack.data)
        except ValidationError as error:
            self.problems += [stack.problem(finding) for finding in findings(error, Claimed, stack)]
            return None
        self.problems += not_there(claimed, keys, self.document, self.project)
        return claimed


def not_there(claimed: Claimed, keys: Keys, document: Document, project: Project) -> Iterator[Problem]:
    """The claims document, or the row of it, that `document` cites at `keys` and that does not exist."""
    path = claims_path(project.specs, claimed.table)
    try:
        rows = project.document(path).data["rows"] if path.is_file() else None
    except (SpecError, KeyError, TypeError):
        rows = {}  # the claims document is told about by itself
    if rows is None:
        hint, allowed = did_you_mean(claimed.table, project.names("claims"))
        message = f"there is no {project.file(path)}"
        yield document.problem((*keys, "table"), message, allowed=allowed, hint=hint)
    elif rows and claimed.row not in rows:
        hint, allowed = did_you_mean(claimed.row, rows)
        message = f"'{claimed.table}' has no row '{claimed.row}'"
        yield document.problem((*keys, "row"), message, allowed=allowed, hint=hint)
