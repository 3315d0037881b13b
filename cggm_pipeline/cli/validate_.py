"""`cggm validate`: every problem of every spec, with its place, as text, JSON or GitHub annotations."""

from __future__ import annotations

import gc
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import Any

import click

from cggm_pipeline.errors import BuildError, Problem
from cggm_pipeline.spec.compose import Composed
from cggm_pipeline.spec.examine import documents, examine
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project

_HEAD = re.compile(r"([a-z_]+(?:\.[\w-]+)*)(?: \([^)]*\))?: (?:([a-z_]+): )?")
"""The dotted key at the head of a BuildError's message; perhaps the field that is meant."""


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--build", is_flag=True, help="Also build each network without memory: shapes, timm names, parameters.")
def command(paths: tuple[str, ...], form: str, build: bool) -> None:
    """Check specs: files, or folders with specs; without PATHS everything below specs/.

    The datasets and base files that a spec names are checked with it. Exit code 1 where there are errors, 2 where a
    path does not exist.
    """
    began = time.perf_counter()
    with _no_collection():
        projects = _projects(paths)
        problems = {problem for project, found in projects for path in found for problem in examine(path, project)}
    files = {file for project, _ in projects for file in project.documents()}
    reports: list[str] = []
    if build and not problems:
        for project, found in projects:
            problems.update(_built(found, project, reports))
    ordered = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column, str(problem)))
    printer = {"text": _text, "json": _json, "github": _github}[form]
    notes = [note for project, _ in projects for _, note in sorted(project.notes.items())]
    for note in notes if form == "text" else ():
        click.echo(str(note).replace(": error: ", ": warning: ", 1), err=True)
    printer(ordered, len(files), reports, time.perf_counter() - began)
    raise SystemExit(1 if ordered else 0)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection: reading specs makes a million small objects and no cycles; it took a third."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _projects(paths: tuple[str, ...]) -> list[tuple[Project, list[Path]]]:
    """The files to check, by project: each project's documents are read once."""
    if not paths:
        project = Project.of()
        return [(project, documents(project))]
    projects: dict[Path, tuple[Project, list[Path]]] = {}
    for text in paths:
        path = Path(text)
        if not path.exists():
            raise click.BadParameter(_missing(path), param_hint="PATHS")
        project = Project.of(path)
        project, found = projects.setdefault(project.root, (project, []))
        below = _below(path, project) if path.is_dir() else [path]
        if not below:
            raise click.BadParameter(f"'{path}' is a folder without specs (*.yaml)", param_hint="PATHS")
        found += below
    return list(projects.values())


def _below(folder: Path, project: Project) -> list[Path]:
    """The specs below a folder; of the project's own folder, those in specs/ and no other YAML files."""
    whole = project.specs.is_relative_to(os.path.realpath(folder))
    return documents(project, None if whole else folder.absolute())


def _missing(path: Path) -> str:
    beside = [str(path.parent / other.name) for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    hint, _ = did_you_mean(str(path), beside)
    return f"there is no '{path}'" + (f"; {hint}" if hint else "")


def _built(paths: list[Path], project: Project, reports: list[str]) -> Iterator[Problem]:
    """Build every experiment of valid documents; what cannot be built is a problem at the key that has to change."""
    from cggm_pipeline.build.check import check_build
    from cggm_pipeline.spec import load_dataset

    for composed in (experiment for path in paths for experiment in _experiments(path, project)):
        dataset = load_dataset(project.specs / "datasets" / f"{composed.spec.data}.yaml", project).spec
        try:
            report = f"{composed.name}\n{indent(str(check_build(composed.spec, dataset)), '  ')}"
            reports += [report] if report not in reports else []
        except BuildError as error:
            yield _problem(composed, str(error))
    yield from _features_built(paths, project, reports)


def _problem(composed: Composed[Any], error: str) -> Problem:
    """A BuildError's message at the key that stands at its head."""
    head = _HEAD.match(error)
    path = (*head[1].split("."), *filter(None, [head[2]])) if head else ()
    return composed.stack.problem(Finding(path, error[head.end() :] if head else error))


def _features_built(paths: list[Path], project: Project, reports: list[str]) -> Iterator[Problem]:
    """Build the encoders of every dataset of features among valid documents."""
    from cggm_pipeline.build.check_features import check_features
    from cggm_pipeline.spec import load_dataset

    for path in paths:
        if project.document(path).data["kind"] != "dataset":
            continue
        composed = load_dataset(path, project)
        source = composed.spec.source
        if isinstance(source, Features):
            try:
                built = check_features(composed.spec, source, load_dataset(source.data, project).spec)
                reports.append(f"{composed.name}\n{indent(built, '  ')}")
            except BuildError as error:
                yield _problem(composed, str(error).replace("source: ", "source.", 1))


def _experiments(path: Path, project: Project) -> list[Composed[Experiment]]:
    from cggm_pipeline.spec import load_experiment, load_table

    kind = project.document(path).data["kind"]
    if kind == "table":
        return [row.experiment for row in load_table(path, project).rows.values()]
    return [load_experiment(path, project)] if kind == "experiment" else []


def _text(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    for problem in problems:
        click.echo(str(problem))
    for report in reports:
        click.echo(report)
    checked = f"{files:,} file{'s' * (files != 1)} checked"
    faulty = len({problem.file for problem in problems})
    errors = f"{len(problems):,} error{'s' * (len(problems) != 1)}"
    summary = f"{checked}, {faulty:,} with {errors}" if problems else f"{checked}, no errors"
    click.echo(f"{summary:<76}{seconds:7.2f} s")


def _json(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    content = {"files": files, "errors": len(problems), "problems": [asdict(problem) for problem in problems]}
    click.echo(json.dumps(content | ({"builds": reports} if reports else {}), indent=1))


def _github(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    for problem in problems:
        parts = [f"{problem.key}: " * bool(problem.key) + problem.message, problem.hint]
        message = "\n".join([*filter(None, parts), *([f"allowed: {problem.allowed}"] if problem.allowed else [])])
        place = f"file={_property(_in_repository(problem.file))}"
        if problem.line:
            end = problem.column + problem.width
            place += f",line={problem.line},endLine={problem.line},col={problem.column},endColumn={end}"
        click.echo(f"::error {place},title=cggm validate::{_data(message)}")
    _text([], files, reports, seconds) if not problems else None


def _in_repository(file: str) -> str:
    """GitHub looks for a file from the repository's root, wherever the command was run."""
    full, root = os.path.realpath(file), os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or ".")
    return os.path.relpath(full, root) if full.startswith(root + os.sep) else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
