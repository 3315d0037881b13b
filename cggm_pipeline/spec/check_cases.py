"""Cases of missing modalities in a table: rows that are made of several, and what the cited claims name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.claims import Claims, claims_path
from cggm_pipeline.spec.labels import label_fault, slug_of
from cggm_pipeline.spec.load import Document, Keys
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.plans import not_there
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.table import Claimed, Composite, Table

if TYPE_CHECKING:
    from cggm_pipeline.spec.rows import Row


def check_cases(table: Table, document: Document, rows: Mapping[str, Row], project: Project) -> list[Problem]:
    """Every fault of `composites`, and of the modalities that the cited claims have numbers for. `rows` by slug."""
    found = list(_cited(document, rows, project))
    taken = {slug_of(label): label for label in (*table.rows, *(row.label for row in rows.values()))}
    for label, composite in (table.composites or {}).items():
        keys: Keys = ("composites", label)
        if fault := label_fault(label, taken):
            found.append(document.problem(keys, fault[0], on="key", allowed=fault[1]))
        taken.setdefault(slug_of(label), label)
        found += _members(composite, keys, document, table, rows)
        if composite.published is not None:
            found += not_there(composite.published, (*keys, "published"), document, project)
    return found


def _members(
    composite: Composite, keys: Keys, document: Document, table: Table, rows: Mapping[str, Row]
) -> Iterator[Problem]:
    """Labels that are no rows or stand twice, and members that would be the model for the same case."""
    labels = dict.fromkeys((*table.rows, *(row.label for row in rows.values())))
    members: dict[frozenset[str], str] = {}
    for index, label in enumerate(composite.rows):
        place = (*keys, "rows", index)
        if label not in labels:
            hint, allowed = did_you_mean(label, labels)
            yield document.problem(place, f"there is no row '{label}'", allowed=allowed, hint=hint)
        elif label in composite.rows[:index]:
            yield document.problem(place, f"the row '{label}' stands twice", hint="remove one of them")
        elif (row := rows.get(slug_of(label))) is not None:
            used = frozenset(row.experiment.spec.used())
            if used in members:
                message = f"'{label}' uses the same modalities as '{members[used]}': {listed(sorted(used))}"
                yield document.problem(place, message, hint="one row for each set of modalities")
            members.setdefault(used, label)


def _cited(document: Document, rows: Mapping[str, Row], project: Project) -> Iterator[Problem]:
    """Claims whose cases name a modality that the row's experiment does not have: they would never be compared."""
    for row in rows.values():
        known = row.experiment.spec.modalities
        for name in _named(row.published, project):
            if name not in known:
                hint, allowed = did_you_mean(name, known)
                message = f"'{row.published and row.published.table}' has numbers for a modality '{name}'"
                yield document.problem(("rows", row.label, "published"), message, allowed=allowed, hint=hint)


def _named(published: Claimed | None, project: Project) -> list[str]:
    """The modalities that the columns of a claims document name; none where it is not valid: that is told by itself."""
    if published is None or not (path := claims_path(project.specs, published.table)).is_file():
        return []
    try:
        columns = Claims.model_validate(project.document(path).data).columns.values()
    except (SpecError, ValidationError):
        return []
    return sorted({name for column in columns if isinstance(column.modalities, tuple) for name in column.modalities})
