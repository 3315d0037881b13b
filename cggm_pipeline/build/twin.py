"""A twin: made-up raw files in a publisher's layout, and the small documents that try a table on them.

The documents are overlays: `extends` on the real ones, with what `twins/KIND.yaml.j2` changes. The real ones stay.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from cggm_pipeline.build.tables import TWINS, implementation
from cggm_pipeline.data.twins import marker
from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec import Dataset, Project, load_dataset, load_table
from cggm_pipeline.spec.compose import Composed
from cggm_pipeline.spec.load import parse
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.resolved import dump_data
from cggm_pipeline.spec.rows import ComposedTable
from cggm_pipeline.whole import write_whole

OVERLAYS = Path(__file__).parent / "twins"
SEEDS = (0, 1)
BY = "# written by `cggm twin "
PLACE = re.compile(r"data(?!/prepared(?:/|$))(?:/[A-Za-z0-9_][\w.-]*)+", re.ASCII)

Data = dict[str, Any]


@dataclass(frozen=True)
class Original:
    """What a twin is made of: a table (or none) and its datasets, the raw one first."""

    name: str
    table: ComposedTable | None
    datasets: tuple[Composed[Dataset], ...]

    @property
    def kind(self) -> str:
        """The kind of the raw dataset's source."""
        return self.datasets[0].spec.source.kind


def original(name: str, project: Project) -> Original:
    """The table `name`, or else the dataset, with all that it is computed from. CggmError where it can have no twin."""
    tables, datasets = project.names("tables"), project.names("datasets")
    if name not in (*tables, *datasets):
        hint, allowed = did_you_mean(name, [*tables, *datasets])
        what = f"there is no table and no dataset '{name}'" + (f"; {hint}" if hint else "")
        raise CggmError(f"error: {what}\n  (allowed: {allowed})")
    if made := _made(project.specs / ("tables" if name in tables else "datasets") / f"{name}.yaml"):
        raise CggmError(f"error: '{name}' is a twin itself; `{made}` writes it again")
    table = load_table(name, project) if name in tables else None
    if table is not None:
        _check_starts(table, name, project)
    chain = [load_dataset(table.base.spec.data if table else name, project)]
    while (upstream := chain[0].spec.source.upstream()) is not None:
        chain.insert(0, load_dataset(upstream, project))
    found = Original(name, table, tuple(chain))
    if found.kind not in TWINS:
        raise CggmError(f"error: a source of kind '{found.kind}' has no twin\n  (those that have: {listed(TWINS)})")
    return found


def _check_starts(table: ComposedTable, name: str, project: Project) -> None:
    """CggmError where a row starts from the run of another table that has no twin yet."""
    for row in table.rows.values():
        weights = row.experiment.spec.weights
        source = name if weights is None else weights.experiment.rpartition("/")[0]
        if source != name and not _made(project.specs / "tables" / f"{source}-twin.yaml"):
            raise CggmError(
                f"error: '{name}' starts from the run {weights.experiment}, whose table has no twin yet\n"  # type: ignore[union-attr]
                f"  Make it first: cggm twin {source} data/twins/NAME"
            )


def _made(document: Path) -> str:
    """The command that wrote a document of a twin; "" for a person's own."""
    if not document.is_file():
        return ""
    written = [line for line in document.read_text("utf-8").splitlines()[:3] if line.startswith(BY)]
    return written[0].split("`")[1] if written else ""


def write_raw(kind: str, folder: Path, seed: int = 0) -> None:
    """Write the made-up raw files of a source to `folder`, marked, whole or not at all.

    A folder that has a file in it which no twin wrote is refused (CggmError) and stays as it is.
    """
    own = marker.foreign(folder) if folder.is_dir() else []
    if own or (folder.exists() and not folder.is_dir()):
        what = f"{own[0]} in it" if own else "it"
        more = f", nor {len(own) - 1:,} more files" if len(own) > 1 else ""
        raise CggmError(f"error: {folder}: `cggm twin` did not write {what}{more}; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".twin-") as name:
        made = Path(name) / "made"
        made.mkdir()
        implementation(TWINS[kind])(made, seed=seed)
        marker.mark(made, kind, seed)
        if folder.exists():
            os.replace(folder, Path(name) / "before")
        os.replace(made, folder)


def place(folder: Path, project: Project) -> str:
    """The folder's path from the project's root, below data/. CggmError where it is no place for raw files."""
    full = Path(os.path.realpath(folder))
    path = full.relative_to(project.root).as_posix() if full.is_relative_to(project.root) else ""
    if not PLACE.fullmatch(path):
        raise CggmError(
            f"error: '{folder}' is no place for a twin's raw files\n  (allowed: a folder of this project below data/, "
            "which git ignores, but not below data/prepared/; letters, digits and - _ . in its name)"
        )
    return path


def documents(found: Original, folder: str) -> dict[str, str]:
    """The twin's documents, by their paths from the root. `folder`: the raw files', from the root."""
    overlay = _overlay(found.kind, folder)
    made = dict(_datasets(found, overlay))
    if found.table is not None:
        made |= dict(_table(found.name, found.table, overlay["experiment"]))
    return {path: _text(path, data, f"{found.name} {folder}") for path, data in made.items()}


def check_documents(files: dict[str, str], project: Project) -> None:
    """CggmError where a document would take the place of a person's own."""
    for path in files:
        there = project.root / path
        if not project.holds(there) or (there.exists() and BY not in there.read_text("utf-8", "replace")[:500]):
            raise CggmError(f"error: {path} is there already and `cggm twin` did not write it; move it away")


def write_documents(files: dict[str, str], project: Project) -> None:
    """Write the documents, each whole; `check_documents` comes before."""
    for path, text in files.items():
        write_whole(project.root / path, text)


def _overlay(kind: str, folder: str) -> Data:
    file = OVERLAYS / f"{kind}.yaml.j2"
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    text = environment.from_string(file.read_text(encoding="utf-8")).render(folder=folder)
    data: Data = parse(text, file, file.name).data
    return data


def _datasets(found: Original, overlay: Data) -> Iterator[tuple[str, Data]]:
    """The raw dataset with the twin's path and shapes, and those that are computed from it."""
    for dataset in found.datasets:
        upstream = dataset.spec.source.upstream()
        part = "dataset" if upstream is None else "features"
        if part not in overlay:
            raise CggmError(f"error: '{dataset.name}' has no twin: it is computed from the features of '{upstream}'")
        changes: Data = overlay[part]
        if upstream is not None:
            changes = changes | {"source": {"data": f"{upstream}-twin", **changes["source"]}}
        head = {"description": f"A twin of {dataset.name}: made-up data.", "extends": f"{dataset.name}.yaml"}
        yield f"specs/datasets/{dataset.name}-twin.yaml", {"version": 1, "kind": "dataset", **head, **changes}


def _table(name: str, table: ComposedTable, changes: Data) -> Iterator[tuple[str, Data]]:
    """The base with a tiny network and few epochs, and the table's rows on it."""
    base = f"experiments/{name}-twin/{table.base.path.stem}.yaml"
    head = {
        "description": f"{table.base.name}, small and short, on made-up data.",
        "extends": f"experiments/{table.base.name}.yaml",
        "data": f"{table.base.spec.data}-twin",
    }
    start = _started(table.base.data) if table.base.spec.weights is not None else {}
    yield f"specs/{base}", {"version": 1, "kind": "experiment", **head, **changes, **start, "seeds": list(SEEDS)}
    written = table.stack.data
    title = f"{written.get('title') or name} (twin)"
    kept = {key: written[key] for key in ("baseline", "metric", "rows", "sweep", "composites") if written.get(key)}
    if "rows" in kept:
        kept["rows"] = {label: {**_untuned(row), **_started(row)} for label, row in kept["rows"].items()}
    told = "Made-up data: its numbers say nothing about a method."
    whole = {"title": title, "description": told, "base": base, "seeds": list(SEEDS), **kept}
    yield f"specs/tables/{name}-twin.yaml", {"version": 1, "kind": "table", **whole}


def _untuned(row: Data) -> Data:
    """A row without what it tries: made-up data choose nothing."""
    return {key: value for key, value in row.items() if key != "tune"}


def _started(changes: Data) -> Data:
    """The section `weights` of a row or a base, starting from the twin of the run it names; empty where it has none."""
    weights = changes.get("weights")
    if not weights:
        return {}
    source, _, row = weights["experiment"].rpartition("/")
    return {"weights": {**weights, "experiment": f"{source}-twin/{row}"}}


def _text(path: str, data: Data, made: str) -> str:
    schema = "../" * (path.count("/") - 1) + "schema.json"
    return f"# yaml-language-server: $schema={schema}\n{BY}{made}`\n{dump_data(data)}"
