"""The specs of one table, read: the resolved files are what was run; their sources say whether someone edited them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.report.claims import published_cases, published_numbers
from cggm_pipeline.report.flat import flat
from cggm_pipeline.report.material import Composite, RowSpec, TableSpec, Tuning
from cggm_pipeline.spec import Experiment, Project, load_experiment, load_resolved, load_table
from cggm_pipeline.spec.load import Document, read

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*(?:/[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*)*")


def read_table(table: str, root: Path) -> TableSpec:
    """The resolved table and the resolved experiment of every row. SpecError where one is missing or wrong."""
    if not _NAME.fullmatch(table):
        raise SpecError(
            [
                Problem(
                    table, 0, 0, "", "is not the name of a table", allowed="the path below specs/tables/ without .yaml"
                )
            ]
        )
    path = root / "specs" / "resolved" / "tables" / f"{table}.yaml"
    document = read(path, _shown(path, root)) if path.is_file() else _missing(path, root)
    if document.problems:
        raise SpecError(document.problems)
    data = _mapping(document, (), document.data)
    rows = _mapping(document, ("rows",), data.get("rows"))
    sources = _sources(table, root)
    order = [slug for slug in data.get("order") or rows if slug in rows]
    made = [_row(table, slug, _mapping(document, ("rows", slug), rows[slug]), root, sources) for slug in order]
    seeds = tuple(int(seed) for seed in data.get("seeds") or ())
    baseline = _baseline(data.get("baseline"), made)
    composites = _composites(document, {slug: rows[slug] for slug in order}, root)
    title = str(data.get("title") or "")
    return TableSpec(table, title, data.get("metric"), baseline, seeds, tuple(made), composites)


def row_path(root: Path, table: str, slug: str) -> Path:
    """Where the resolved experiment of a row stands."""
    return root / "specs" / "resolved" / table / f"{slug}.yaml"


def _row(table: str, slug: str, row: Mapping[str, Any], root: Path, sources: Mapping[str, Experiment] | str) -> RowSpec:
    if not _NAME.fullmatch(slug) or "/" in slug:
        raise SpecError([Problem(f"specs/resolved/tables/{table}.yaml", 0, 0, f"rows.{slug}", "is not a row's name")])
    path = row_path(root, table, slug)
    experiment = load_resolved(path, Experiment) if path.is_file() else _missing(path, root)
    cited = row.get("published")
    published, cases = (published_numbers(root, cited), published_cases(root, cited)) if cited else ({}, {})
    edited, label = _edited(slug, experiment, sources), str(row.get("label") or slug)
    return RowSpec(slug, label, experiment, published, edited, _tuning(table, slug, row.get("tuned")), cases)


def _composites(document: Document, rows: Mapping[str, Any], root: Path) -> tuple[Composite, ...]:
    """What is made of several rows: each row says in `part_of` of what."""
    members: dict[str, list[str]] = {}
    cited: dict[str, Any] = {}
    for slug, row in rows.items():
        if "part_of" in row:
            for label, published in _mapping(document, ("rows", slug, "part_of"), row["part_of"]).items():
                members.setdefault(label, []).append(slug)
                cited[label] = published
    return tuple(
        Composite(label, tuple(slugs), published_cases(root, cited[label]) if cited[label] else {})
        for label, slugs in members.items()
    )


def _tuning(table: str, slug: str, found: Any) -> Tuning | None:
    """How the row's values were chosen, as `cggm compile` wrote it."""
    if found is None:
        return None
    try:
        chosen = None if found["values"] is None else dict(found["values"])
        epochs = None if found["epochs"] is None else int(found["epochs"])
        return Tuning(int(found["budget"]), int(found["seed"]), epochs, chosen, bool(found["fresh"]))
    except (KeyError, TypeError, ValueError):
        problem = Problem(f"specs/resolved/tables/{table}.yaml", 0, 0, f"rows.{slug}.tuned", "is damaged")
        raise SpecError([replace(problem, hint="run `cggm compile`")]) from None


def _sources(table: str, root: Path) -> Mapping[str, Experiment] | str:
    """Every row's experiment composed anew from what people write, or why that cannot be done."""
    project = Project(root)
    document, alone = (root / "specs" / room / f"{table}.yaml" for room in ("tables", "experiments"))
    try:
        if document.is_file():
            return {slug: row.experiment.spec for slug, row in load_table(document, project).rows.items()}
        if alone.is_file():
            return {table.rpartition("/")[2]: load_experiment(alone, project).spec}
    except SpecError as error:
        return f"its spec is not valid now ({error.problems[0].file})"
    return {}


def _edited(slug: str, experiment: Experiment, sources: Mapping[str, Experiment] | str) -> str:
    """How the resolved file differs from its spec."""
    if isinstance(sources, str):
        return sources
    source = sources.get(slug)
    if source is None:
        return "its spec has no such row now" if sources else ""
    keys = changed(experiment, source)
    return f"its resolved file differs from its spec: {', '.join(keys)}" if keys else ""


def changed(ours: Experiment, theirs: Experiment) -> list[str]:
    """The dotted keys in which two experiments differ, the description left out: it changes no result."""
    one, other = (flat(spec.model_dump(mode="json", exclude={"description"})) for spec in (ours, theirs))
    return [key for key in dict.fromkeys((*other, *one)) if one.get(key) != other.get(key)]


def _baseline(named: Any, rows: list[RowSpec]) -> str | None:
    """The slug of the row that the table names as its baseline, by slug or by label."""
    return next((row.slug for row in rows if named in (row.slug, row.label)), None)


def _mapping(document: Document, keys: tuple[str, ...], found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SpecError([document.problem(keys, "is not a mapping", hint="run `cggm compile`")])
    return found


def _missing(path: Path, root: Path) -> Any:
    raise SpecError([Problem(_shown(path, root), 0, 0, "", "does not exist", hint="run `cggm compile`")])


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
